//! Batches from `.npy` files that are larger than memory.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use ndarray::{ArrayD, IxDyn, ShapeError};

use super::Inputs;
use super::{Batch, Batches};
use crate::error::{Error, Result};
use crate::files::npy::{HeaderProblem, read_header};
use crate::numeric::Scalar;
use crate::numeric::checks::check_count;
use crate::random::Key;

/// Samples and targets in two `.npy` files, of which a batch at a time is in memory.
///
/// Samples are integers (N, T), which are token ids, or floating-point numbers (N, D) or (N, T, D); targets any numbers (N),
/// (N, K) or (N, T, K). Types of 1 to 8 bytes in either byte order, in NumPy's own order of elements (C).
///
/// Each epoch reads the batches in a new order. Which samples are together stays the same: to mix them too, put
/// [`Shuffled`](super::Shuffled) around it, or shuffle the files once.
///
/// Later, a file that cannot be read any more is an [`Error::Io`], and a number among tokens that is no token id an
/// [`Error::Npy`].
///
/// ```no_run
/// use bptt::data::NpyBatches;
/// # use bptt::prelude::*;
/// # fn train(model: &mut Model) -> bptt::Result<()> {
/// let mut reviews = NpyBatches::open("x.npy", "y.npy", 64)?;
/// model.fit_batches(&mut reviews, Fit::new().epochs(10))?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct NpyBatches {
    samples: NpyFile,
    targets: NpyFile,
    batch_size: usize,
    shuffle: bool,
    order: Vec<usize>,
    place: usize,
}

impl NpyBatches {
    /// Opens both files and reads their headers; each batch has `batch_size` samples, the last of the file maybe fewer.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; [`Error::Npy`] if a file is no such array, or not whole; [`Error::LengthMismatch`] if there is not a
    /// target for each sample; [`Error::Empty`] without samples; [`Error::InvalidOption`] for batches of 0.
    pub fn open(samples: impl AsRef<Path>, targets: impl AsRef<Path>, batch_size: usize) -> Result<Self> {
        check_count("batch_size", batch_size)?;
        let samples = NpyFile::open(samples.as_ref())?;
        let targets = NpyFile::open(targets.as_ref())?;
        let dimensions = if samples.kind.is_float { 2..=3 } else { 2..=2 };
        if !dimensions.contains(&samples.shape.len()) {
            let problem =
                format!("has the shape {:?}; samples are (N, T) or (N, D), or (N, T, D) of floats", samples.shape);
            return Err(samples.wrong(problem));
        }
        let (left_length, right_length) = (samples.shape[0], targets.shape[0]);
        if left_length != right_length {
            return Err(Error::LengthMismatch { left: "samples", left_length, right: "targets", right_length });
        }
        if left_length == 0 {
            return Err(Error::Empty { what: "the file of samples", mend: "write at least one" });
        }
        Ok(NpyBatches { samples, targets, batch_size, shuffle: true, order: Vec::new(), place: 0 })
    }

    /// Whether each epoch takes the batches in a new order, as it does by default.
    pub fn shuffle(self, shuffle: bool) -> Self {
        NpyBatches { shuffle, ..self }
    }

    /// How many samples there are.
    pub fn samples(&self) -> usize {
        self.samples.shape[0]
    }
}

impl<F: Scalar> Batches<F> for NpyBatches {
    fn start(&mut self, key: Key) -> Result<()> {
        let batches = self.samples().div_ceil(self.batch_size);
        self.order = if self.shuffle { key.permutation(batches) } else { (0..batches).collect() };
        self.place = 0;
        Ok(())
    }

    fn next(&mut self, batch: &mut Batch<F>) -> Result<bool> {
        let Some(&number) = self.order.get(self.place) else { return Ok(false) };
        self.place += 1;
        let rows = number * self.batch_size..self.samples().min((number + 1) * self.batch_size);
        let samples = self.samples.read(rows.clone())?;
        let of_shape = |file: &NpyFile, error: ShapeError| file.wrong(error.to_string());
        batch.inputs = match (self.samples.kind.is_float, samples.ndim()) {
            (false, _) => {
                if let Some(value) = samples.iter().find(|&&value| f64::from(value as u32) != value) {
                    return Err(self.samples.wrong(format!("holds {value}, which is no token id")));
                }
                let tokens = samples.mapv(|value| value as u32).into_dimensionality();
                Inputs::Tokens(tokens.map_err(|error| of_shape(&self.samples, error))?)
            }
            (true, 3) => {
                let values = samples.mapv(F::of).into_dimensionality();
                Inputs::Sequences(values.map_err(|error| of_shape(&self.samples, error))?)
            }
            (true, _) => {
                let values = samples.mapv(F::of).into_dimensionality();
                Inputs::Vectors(values.map_err(|error| of_shape(&self.samples, error))?)
            }
        };
        (batch.mask, batch.weights) = (None, None);
        batch.targets = self.targets.read(rows)?;
        Ok(true)
    }

    fn count(&self) -> Option<usize> {
        Some(self.samples().div_ceil(self.batch_size))
    }
}

/// An open file whose header has been read.
#[derive(Debug)]
struct NpyFile {
    path: PathBuf,
    file: File,
    kind: Kind,
    shape: Vec<usize>,
    /// Where the elements begin, in bytes.
    start: u64,
}

/// A type of numbers.
#[derive(Clone, Copy, Debug)]
struct Kind {
    is_float: bool,
    is_signed: bool,
    is_big_endian: bool,
    width: usize,
}

impl Kind {
    /// The type that NumPy calls so, such as `<f4`.
    fn parse(name: &str) -> Option<Self> {
        let (order, kind, width) = match *name.as_bytes() {
            [order, kind, width] => (order, kind, usize::from(width.wrapping_sub(b'0'))),
            _ => return None,
        };
        let widths: &[usize] = if kind == b'f' { &[4, 8] } else { &[1, 2, 4, 8] };
        let known =
            matches!(kind, b'f' | b'i' | b'u' | b'b') && widths.contains(&width) && (kind != b'b' || width == 1);
        let is_big_endian = order == b'>';
        let ordered = matches!(order, b'<' | b'>') || (order == b'|' && width == 1);
        (known && ordered).then_some(Kind { is_float: kind == b'f', is_signed: kind == b'i', is_big_endian, width })
    }

    /// The number that these bytes are.
    fn number(self, bytes: &[u8]) -> f64 {
        let byte = |place: usize| u64::from(bytes[if self.is_big_endian { self.width - 1 - place } else { place }]);
        let bits = (0..self.width).fold(0, |bits, place| bits | byte(place) << (8 * place));
        match (self.is_float, self.width) {
            (true, 4) => f32::from_bits(bits as u32).into(),
            (true, _) => f64::from_bits(bits),
            _ if self.is_signed => {
                // Shifted to the top and back, so that the sign fills the upper bytes.
                let unused = 64 - 8 * self.width as u32;
                ((bits << unused) as i64 >> unused) as f64
            }
            _ => bits as f64,
        }
    }
}

/// What goes wrong on the way through a header.
enum Opening {
    Io(std::io::Error),
    Header(HeaderProblem),
}

impl From<HeaderProblem> for Opening {
    fn from(problem: HeaderProblem) -> Self {
        Opening::Header(problem)
    }
}

impl NpyFile {
    fn open(path: &Path) -> Result<Self> {
        let in_file = |source| Error::io("read", path)(source);
        let wrong = |problem: String| Error::Npy { path: path.into(), problem };
        let mut file = File::open(path).map_err(in_file)?;
        let length = file.metadata().map_err(in_file)?.len();
        let header = read_header(|count| {
            let mut bytes = vec![0; count];
            file.read_exact(&mut bytes).map(|()| bytes).map_err(Opening::Io)
        });
        let header = header.map_err(|problem| match problem {
            Opening::Io(source) => in_file(source),
            Opening::Header(HeaderProblem::Expected { expected, offset }) => {
                wrong(format!("has no {expected} at byte {offset}"))
            }
            Opening::Header(HeaderProblem::TooLong { limit }) => wrong(format!("has a header of over {limit} bytes")),
        })?;
        let Some(kind) = Kind::parse(&header.element_type) else {
            return Err(wrong(format!(
                "has elements of the type {:?}, which are no numbers of 1 to 8 bytes",
                header.element_type
            )));
        };
        if header.fortran_order && header.shape.len() > 1 {
            return Err(wrong("has its elements in Fortran order; save numpy.ascontiguousarray(array)".into()));
        }
        if header.shape.is_empty() {
            return Err(wrong("holds a single number; its first axis must be that of the samples".into()));
        }
        let start = file.stream_position().map_err(in_file)?;
        let bytes = header.shape.iter().try_fold(kind.width as u64, |bytes, &count| bytes.checked_mul(count));
        if bytes.and_then(|bytes| bytes.checked_add(start)) != Some(length) {
            return Err(wrong(format!("is {length} bytes long, which does not fit its shape {:?}", header.shape)));
        }
        let shape = header.shape.iter().map(|&count| count as usize).collect();
        Ok(NpyFile { path: path.into(), file, kind, shape, start })
    }

    fn wrong(&self, problem: String) -> Error {
        Error::Npy { path: self.path.clone(), problem }
    }

    /// Some of its rows.
    fn read(&mut self, rows: Range<usize>) -> Result<ArrayD<f64>> {
        let row: usize = self.shape[1..].iter().product::<usize>() * self.kind.width;
        let mut bytes = vec![0; row * rows.len()];
        let place = self.start + (row * rows.start) as u64;
        let read = self.file.seek(SeekFrom::Start(place)).and_then(|_| self.file.read_exact(&mut bytes));
        read.map_err(Error::io("read", &self.path))?;
        let numbers = bytes.chunks_exact(self.kind.width).map(|bytes| self.kind.number(bytes)).collect();
        let mut shape = self.shape.clone();
        shape[0] = rows.len();
        ArrayD::from_shape_vec(IxDyn(&shape), numbers).map_err(|error| self.wrong(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_type() {
        for (name, bytes, number) in [
            ("|u1", &[200][..], 200.0),
            ("|i1", &[200], -56.0),
            ("|b1", &[1], 1.0),
            ("<u2", &[1, 2], 513.0),
            (">u2", &[1, 2], 258.0),
            ("<i4", &[254, 255, 255, 255], -2.0),
            (">i8", &[0, 0, 0, 0, 0, 0, 1, 0], 256.0),
            ("<f4", &0.1_f32.to_le_bytes(), f64::from(0.1_f32)),
            (">f8", &0.1_f64.to_be_bytes(), 0.1),
        ] {
            assert_eq!(Kind::parse(name).map(|kind| kind.number(bytes)), Some(number), "{name}");
        }
        for name in ["|O", "<f2", "|i4", "<i3", "<c8", "", "<U1", "|b2"] {
            assert!(Kind::parse(name).is_none(), "{name}");
        }
    }
}
