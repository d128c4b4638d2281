//! Header of NumPy's `.npy` format: element type, order, and shape.
//!
//! The header is the dictionary that NumPy writes (format versions 1.0, 2.0 and 3.0): exactly the three keys, in any
//! order, in Python's literal syntax. Anything else is an error with its position. Nothing is allocated from the
//! lengths in the shape.

/// Maximum length of a header in bytes. NumPy's own have 118.
const MAX_HEADER_BYTES: u32 = 10_000;

/// Content of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// NumPy's name of the element type, such as `<i8`.
    pub(crate) element_type: String,
    /// Whether the first index varies fastest instead of the last.
    pub(crate) fortran_order: bool,
    pub(crate) shape: Vec<u64>,
}

/// Problem of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderProblem {
    /// Something other than `expected` is at this offset.
    Expected { expected: &'static str, offset: u64 },
    /// The header states a length above this limit.
    TooLong { limit: u64 },
}

/// Reads a header, up to the first byte of the elements; `take` returns the next bytes.
pub(crate) fn read_header<E: From<HeaderProblem>>(
    mut take: impl FnMut(usize) -> Result<Vec<u8>, E>,
) -> Result<Header, E> {
    let expected = |expected, offset| E::from(HeaderProblem::Expected { expected, offset });
    if take(6)? != *b"\x93NUMPY" {
        return Err(expected("magic word of the .npy format", 0));
    }
    let version = take(2)?;
    let width = match version[..] {
        [1, 0] => 2,
        [2 | 3, 0] => 4,
        _ => return Err(expected("format version from 1.0 to 3.0", 6)),
    };
    let length = take(width)?.iter().rev().fold(0, |length, &byte| length << 8 | u32::from(byte));
    if length > MAX_HEADER_BYTES {
        return Err(HeaderProblem::TooLong { limit: MAX_HEADER_BYTES.into() }.into());
    }
    let text = take(length as usize)?;
    Ok(Literal { text: &text, position: 0, start: 8 + width as u64 }.header()?)
}

/// Text of a header, and the position up to which it has been parsed.
struct Literal<'a> {
    text: &'a [u8],
    position: usize,
    /// Offset of the text in the file, for messages.
    start: u64,
}

impl<'a> Literal<'a> {
    fn header(mut self) -> Result<Header, HeaderProblem> {
        let (mut element_type, mut fortran_order, mut shape) = (None, None, None);
        self.symbol(b'{', "dictionary")?;
        while !self.accept(b'}') {
            let key_position = self.position;
            match self.string()? {
                b"descr" if element_type.is_none() => {
                    self.symbol(b':', "colon")?;
                    element_type = Some(self.string()?.escape_ascii().to_string());
                }
                b"fortran_order" if fortran_order.is_none() => {
                    self.symbol(b':', "colon")?;
                    fortran_order = Some(self.boolean()?);
                }
                b"shape" if shape.is_none() => {
                    self.symbol(b':', "colon")?;
                    shape = Some(self.shape()?);
                }
                _ => {
                    self.position = key_position;
                    return Err(self.expected("key out of descr, fortran_order and shape, each once,"));
                }
            }
            if !self.accept(b',') {
                self.symbol(b'}', "end of the dictionary")?;
                break;
            }
        }
        self.skip_spaces();
        if self.position != self.text.len() {
            return Err(self.expected("end of the header"));
        }
        match (element_type, fortran_order, shape) {
            (Some(element_type), Some(fortran_order), Some(shape)) => Ok(Header { element_type, fortran_order, shape }),
            _ => Err(self.expected("descr, fortran_order and shape")),
        }
    }

    fn expected(&self, expected: &'static str) -> HeaderProblem {
        HeaderProblem::Expected { expected, offset: self.start + self.position as u64 }
    }

    fn skip_spaces(&mut self) {
        while let Some(b' ' | b'\n') = self.text.get(self.position) {
            self.position += 1;
        }
    }

    /// Skips `symbol` if it comes next, and returns whether it did.
    fn accept(&mut self, symbol: u8) -> bool {
        self.skip_spaces();
        let found = self.text.get(self.position) == Some(&symbol);
        self.position += usize::from(found);
        found
    }

    fn symbol(&mut self, symbol: u8, name: &'static str) -> Result<(), HeaderProblem> {
        if self.accept(symbol) { Ok(()) } else { Err(self.expected(name)) }
    }

    /// Reads a string in either kind of quotes. Strings of a header need no escapes, so a backslash is an error.
    fn string(&mut self) -> Result<&'a [u8], HeaderProblem> {
        self.skip_spaces();
        let text = self.text;
        let rest = &text[self.position..];
        let end = match rest.first() {
            Some(quote @ (b'\'' | b'"')) => rest.iter().skip(1).position(|byte| byte == quote),
            _ => None,
        };
        match end {
            Some(length) if !rest[1..=length].contains(&b'\\') => {
                self.position += length + 2;
                Ok(&rest[1..=length])
            }
            _ => Err(self.expected("plain string (an array of records is not read)")),
        }
    }

    fn boolean(&mut self) -> Result<bool, HeaderProblem> {
        self.skip_spaces();
        for (word, value) in [(&b"True"[..], true), (b"False", false)] {
            if self.text[self.position..].starts_with(word) {
                self.position += word.len();
                return Ok(value);
            }
        }
        Err(self.expected("True or False"))
    }

    /// Reads a tuple of lengths. Python 2 wrote an `L` after some numbers.
    fn shape(&mut self) -> Result<Vec<u64>, HeaderProblem> {
        self.symbol(b'(', "tuple")?;
        let mut lengths = Vec::new();
        while !self.accept(b')') {
            let digits = self.text[self.position..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            let number = &self.text[self.position..self.position + digits];
            if digits == 0 {
                return Err(self.expected("length"));
            }
            let value = number
                .iter()
                .try_fold(0_u64, |value, digit| value.checked_mul(10)?.checked_add(u64::from(digit - b'0')))
                .unwrap_or(u64::MAX);
            lengths.push(value);
            self.position += digits;
            if self.text.get(self.position) == Some(&b'L') {
                self.position += 1;
            }
            if !self.accept(b',') {
                // One number in parentheses is a tuple only with a comma.
                if lengths.len() == 1 {
                    return Err(self.expected("comma after the length"));
                }
                self.symbol(b')', "end of the tuple")?;
                break;
            }
        }
        Ok(lengths)
    }
}
