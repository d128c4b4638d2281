//! Reader of the pickle of a NumPy object array of lists of integers, and of nothing else.
//!
//! It is a stack machine for the few opcodes that pickle protocols 2 to 5 use for such an array. It executes nothing:
//! it knows the four globals that NumPy writes, and accepts `REDUCE` and `BUILD` only as NumPy uses them; everything
//! else is an error with its name and place. Every table is bounded, values refer to each other by number, and there is
//! no recursion. So no input can make it panic, hang or take much memory. `pickle/values.rs` has the values.

mod values;

use std::collections::HashMap;
use std::io::Read;

use super::npz::Member;
use super::problem::{NpzProblem, quoted};
use values::{Global, Lists, Objects, Value};

/// Maximum number of values on the stack. Python appends to a list in steps of 1,000, so its pickles stay near 2,000.
const MAX_STACK: usize = 1 << 16;
/// Maximum number of open marks. NumPy's pickles open four.
const MAX_MARKS: usize = 64;
/// Maximum number of values in the memo: one for each list, and a few more.
const MAX_MEMO: usize = (1 << 20) + 1024;
/// Maximum length of a string in bytes. The longest ones needed are names of globals.
const MAX_STRING: u32 = 1024;

/// Reads the pickle from the member's position up to its `STOP`.
pub(super) fn read_reviews<R: Read>(member: &mut Member<R>) -> Result<Vec<Vec<u32>>, NpzProblem> {
    Machine {
        member,
        offset: 0,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        lists: Lists::default(),
        objects: Objects::default(),
    }
    .run()
}

struct Machine<'a, R> {
    member: &'a mut Member<R>,
    /// Offset of the current opcode.
    offset: u64,
    stack: Vec<Value>,
    /// Stack heights at which marks are open.
    marks: Vec<usize>,
    memo: HashMap<u32, Value>,
    lists: Lists,
    objects: Objects,
}

impl<R: Read> Machine<'_, R> {
    fn run(mut self) -> Result<Vec<Vec<u32>>, NpzProblem> {
        self.protocol()?;
        loop {
            self.offset = self.member.offset();
            match self.member.byte()? {
                b'.' => return self.stop(),
                // A frame only states how far to read ahead.
                0x95 => drop(self.member.array::<8>()?),
                b'N' => self.push(Value::None)?,
                0x88 => self.push(Value::Bool(true))?,
                0x89 => self.push(Value::Bool(false))?,
                b'K' => {
                    let value = self.member.byte()?;
                    self.push(Value::Integer(value.into()))?;
                }
                b'M' => {
                    let value = u16::from_le_bytes(self.member.array()?);
                    self.push(Value::Integer(value.into()))?;
                }
                b'J' => {
                    let value = i32::from_le_bytes(self.member.array()?);
                    self.push(Value::Integer(value.into()))?;
                }
                0x8a => self.long()?,
                // Strings with a length of one byte: Python 2 string, bytes, text.
                b'U' | b'C' | 0x8c => {
                    let length = self.member.byte()?;
                    self.string(length.into())?;
                }
                b'X' => {
                    let length = u32::from_le_bytes(self.member.array()?);
                    self.string(length)?;
                }
                b'(' => {
                    if self.marks.len() == MAX_MARKS {
                        return Err(limit("open marks in its pickle", MAX_MARKS));
                    }
                    self.marks.push(self.stack.len());
                }
                b']' => {
                    let list = self.lists.create()?;
                    self.push(Value::List(list))?;
                }
                b'a' => self.append_from(self.stack.len().saturating_sub(1))?,
                b'e' => {
                    let mark = self.pop_mark()?;
                    self.append_from(mark)?;
                }
                b')' => self.tuple(Vec::new())?,
                0x85 => self.tuple_of(1)?,
                0x86 => self.tuple_of(2)?,
                0x87 => self.tuple_of(3)?,
                b't' => {
                    let mark = self.pop_mark()?;
                    let items = self.stack.split_off(mark);
                    self.tuple(items)?;
                }
                b'q' => {
                    let number = self.member.byte()?;
                    self.put(number.into())?;
                }
                b'r' => {
                    let number = u32::from_le_bytes(self.member.array()?);
                    self.put(number)?;
                }
                // No overflow: the memo has at most [`MAX_MEMO`] values.
                0x94 => self.put(self.memo.len() as u32)?,
                b'h' => {
                    let number = self.member.byte()?;
                    self.get(number.into())?;
                }
                b'j' => {
                    let number = u32::from_le_bytes(self.member.array()?);
                    self.get(number)?;
                }
                b'c' => {
                    let (module, name) = (self.line()?, self.line()?);
                    self.global(&module, &name)?;
                }
                0x93 => {
                    let (name, module) = (self.pop_text()?, self.pop_text()?);
                    self.global(&module, &name)?;
                }
                b'R' => {
                    let (arguments, callable) = (self.pop()?, self.pop()?);
                    let value = self.objects.reduce(callable, arguments);
                    let value = value.map_err(|target| self.foreign_call("REDUCE", target))?;
                    self.push(value)?;
                }
                b'b' => {
                    let (state, target) = (self.pop()?, self.pop()?);
                    self.objects.build(target, state).map_err(|target| self.foreign_call("BUILD", target))?;
                    self.push(target)?;
                }
                other => return Err(NpzProblem::Opcode { opcode: opcode_name(other), offset: self.offset }),
            }
        }
    }

    fn protocol(&mut self) -> Result<(), NpzProblem> {
        self.offset = self.member.offset();
        let expected = "a pickle of protocol 2 to 5";
        match self.member.array()? {
            [0x80, 2..=5] => Ok(()),
            [0x80, version] => Err(self.structure(expected, format!("one of protocol {version}"))),
            [other, _] => Err(self.structure(expected, format!("the opcode {}", opcode_name(other)))),
        }
    }

    /// Ends the reading: only the array may be left on the stack.
    fn stop(self) -> Result<Vec<Vec<u32>>, NpzProblem> {
        let structure = |found| NpzProblem::Pickle { expected: "one array", found, offset: self.offset };
        if self.stack != [Value::Array] || !self.marks.is_empty() {
            return Err(structure(format!("an end with {} values", self.stack.len())));
        }
        let Some((length, outer)) = self.objects.array() else {
            return Err(structure("an end with an array that was never filled".to_owned()));
        };
        let reviews = self.lists.into_reviews(outer)?;
        // A negative length is not valid.
        match u64::try_from(length) {
            Ok(announced) if announced == reviews.len() as u64 => Ok(reviews),
            Ok(announced) => Err(NpzProblem::Count { announced, found: reviews.len() as u64 }),
            Err(_) => Err(structure(format!("an array of {length} elements"))),
        }
    }

    fn push(&mut self, value: Value) -> Result<(), NpzProblem> {
        if self.stack.len() == MAX_STACK {
            return Err(limit("values on its pickle's stack", MAX_STACK));
        }
        self.stack.push(value);
        Ok(())
    }

    /// Removes and returns the top value, but none from below the last mark.
    fn pop(&mut self) -> Result<Value, NpzProblem> {
        let floor = self.marks.last().copied().unwrap_or(0);
        let top = if self.stack.len() > floor { self.stack.pop() } else { None };
        top.ok_or_else(|| self.structure("a value on the stack", "none".to_owned()))
    }

    /// Removes and returns the last mark. The stack is at least that high, because nothing below a mark is popped.
    fn pop_mark(&mut self) -> Result<usize, NpzProblem> {
        self.marks.pop().ok_or_else(|| self.structure("a mark on the stack", "none".to_owned()))
    }

    fn pop_text(&mut self) -> Result<Vec<u8>, NpzProblem> {
        let value = self.pop()?;
        match self.objects.text(value) {
            Some(text) => Ok(text.to_vec()),
            None => Err(self.structure("the name of a global", value.kind().to_owned())),
        }
    }

    /// Appends the values from `start` on to the list below them, which is then the top value.
    fn append_from(&mut self, start: usize) -> Result<(), NpzProblem> {
        let floor = self.marks.last().copied().unwrap_or(0);
        let target = if start > floor { self.stack.get(start - 1) } else { None };
        match target {
            Some(&Value::List(list)) => {
                for item in self.stack.drain(start..) {
                    self.lists.append(list, item.as_item())?;
                }
                Ok(())
            }
            Some(other) => Err(self.structure("a list to append to", other.kind().to_owned())),
            None => Err(self.structure("a list to append to", "none".to_owned())),
        }
    }

    fn tuple_of(&mut self, length: usize) -> Result<(), NpzProblem> {
        let mut items = Vec::with_capacity(length);
        for _ in 0..length {
            items.push(self.pop()?);
        }
        items.reverse();
        self.tuple(items)
    }

    fn tuple(&mut self, items: Vec<Value>) -> Result<(), NpzProblem> {
        let tuple = self.objects.tuple(items)?;
        self.push(tuple)
    }

    fn string(&mut self, length: u32) -> Result<(), NpzProblem> {
        if length > MAX_STRING {
            return Err(limit("bytes in a string", MAX_STRING as usize));
        }
        let text = self.member.bytes(length as usize)?;
        let text = self.objects.new_text(text)?;
        self.push(text)
    }

    /// Reads an integer of up to 255 bytes. Python 2 also wrote small integers of its `long` type this way.
    fn long(&mut self) -> Result<(), NpzProblem> {
        let length = usize::from(self.member.byte()?);
        let bytes = self.member.bytes(length)?;
        let value = if length > 8 {
            Value::HugeInteger
        } else {
            let negative = bytes.last().is_some_and(|&byte| byte >= 0x80);
            let mut wide = [if negative { 0xff } else { 0 }; 8];
            wide[..length].copy_from_slice(&bytes);
            Value::Integer(i64::from_le_bytes(wide))
        };
        self.push(value)
    }

    fn put(&mut self, number: u32) -> Result<(), NpzProblem> {
        let value = self.pop()?;
        if self.memo.len() >= MAX_MEMO {
            return Err(limit("values in its pickle's memo", MAX_MEMO));
        }
        self.memo.insert(number, value);
        self.push(value)
    }

    fn get(&mut self, number: u32) -> Result<(), NpzProblem> {
        match self.memo.get(&number) {
            Some(&value) => self.push(value),
            None => Err(self.structure("a value in the memo", format!("a reference to the missing value {number}"))),
        }
    }

    fn line(&mut self) -> Result<Vec<u8>, NpzProblem> {
        let mut line = Vec::new();
        loop {
            match self.member.byte()? {
                b'\n' => return Ok(line),
                _ if line.len() == MAX_STRING as usize => return Err(limit("bytes in a name", MAX_STRING as usize)),
                byte => line.push(byte),
            }
        }
    }

    fn global(&mut self, module: &[u8], name: &[u8]) -> Result<(), NpzProblem> {
        match Global::find(module, name) {
            Some(global) => self.push(Value::Global(global)),
            None => {
                let name = format!("{}.{}", quoted(module), quoted(name));
                Err(NpzProblem::ForeignGlobal { name, offset: self.offset })
            }
        }
    }

    fn foreign_call(&self, opcode: &'static str, target: String) -> NpzProblem {
        NpzProblem::ForeignCall { opcode, target, offset: self.offset }
    }

    fn structure(&self, expected: &'static str, found: String) -> NpzProblem {
        NpzProblem::Pickle { expected, found, offset: self.offset }
    }
}

fn limit(what: &'static str, limit: usize) -> NpzProblem {
    NpzProblem::Limit { what, limit: limit as u64 }
}

/// Returns the name of an opcode of protocols 0 to 5, as in Python's disassembler, for error messages.
fn opcode_name(byte: u8) -> String {
    let name = match byte {
        b'(' => "MARK",
        b'.' => "STOP",
        b'0' => "POP",
        b'1' => "POP_MARK",
        b'2' => "DUP",
        b'F' => "FLOAT",
        b'I' => "INT",
        b'J' => "BININT",
        b'K' => "BININT1",
        b'L' => "LONG",
        b'M' => "BININT2",
        b'N' => "NONE",
        b'P' => "PERSID",
        b'Q' => "BINPERSID",
        b'R' => "REDUCE",
        b'S' => "STRING",
        b'T' => "BINSTRING",
        b'U' => "SHORT_BINSTRING",
        b'V' => "UNICODE",
        b'X' => "BINUNICODE",
        b'a' => "APPEND",
        b'b' => "BUILD",
        b'c' => "GLOBAL",
        b'd' => "DICT",
        b'}' => "EMPTY_DICT",
        b'e' => "APPENDS",
        b'g' => "GET",
        b'h' => "BINGET",
        b'i' => "INST",
        b'j' => "LONG_BINGET",
        b'l' => "LIST",
        b']' => "EMPTY_LIST",
        b'o' => "OBJ",
        b'p' => "PUT",
        b'q' => "BINPUT",
        b'r' => "LONG_BINPUT",
        b's' => "SETITEM",
        b't' => "TUPLE",
        b')' => "EMPTY_TUPLE",
        b'u' => "SETITEMS",
        b'G' => "BINFLOAT",
        b'B' => "BINBYTES",
        b'C' => "SHORT_BINBYTES",
        0x80 => "PROTO",
        0x81 => "NEWOBJ",
        0x82 => "EXT1",
        0x83 => "EXT2",
        0x84 => "EXT4",
        0x85 => "TUPLE1",
        0x86 => "TUPLE2",
        0x87 => "TUPLE3",
        0x88 => "NEWTRUE",
        0x89 => "NEWFALSE",
        0x8a => "LONG1",
        0x8b => "LONG4",
        0x8c => "SHORT_BINUNICODE",
        0x8d => "BINUNICODE8",
        0x8e => "BINBYTES8",
        0x8f => "EMPTY_SET",
        0x90 => "ADDITEMS",
        0x91 => "FROZENSET",
        0x92 => "NEWOBJ_EX",
        0x93 => "STACK_GLOBAL",
        0x94 => "MEMOIZE",
        0x95 => "FRAME",
        0x96 => "BYTEARRAY8",
        0x97 => "NEXT_BUFFER",
        0x98 => "READONLY_BUFFER",
        _ => return format!("0x{byte:02x} (unknown)"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests;
