//! The works by name: `epoch/EXPERIMENT`, `train/CELL/UNITS`, `stream/CELL/UNITS`, `product/SIZE`.

use crate::Failure;

/// Something to be measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Work {
    /// An epoch of training of one of the four experiments.
    Epoch(Experiment),
    /// Forward and backward pass of a layer, the gradient of its inputs included, without an optimizer.
    Train(Cell, usize),
    /// Single steps of one sample, the state fed back.
    Stream(Cell, usize),
    /// A product of two square matrices of this size.
    Product(usize),
}

/// The model of an experiment between its embedding and its dense layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Experiment {
    /// An LSTM.
    Lstm,
    /// The same with a dropout of its inputs.
    Dropout,
    /// Two of these.
    Stacked,
    /// A GRU.
    Gru,
}

/// A recurrent cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell {
    /// Gates i, f, c, o.
    Lstm,
    /// Gates z, r, h.
    Gru,
    /// Of tanh.
    SimpleRnn,
}

impl Work {
    /// The work of this name.
    pub fn parse(name: &str) -> Result<Work, Failure> {
        let parts: Vec<&str> = name.split('/').collect();
        Ok(match parts[..] {
            ["epoch", experiment] => Work::Epoch(Experiment::parse(experiment)?),
            ["train", cell, units] => Work::Train(Cell::parse(cell)?, units.parse()?),
            ["stream", cell, units] => Work::Stream(Cell::parse(cell)?, units.parse()?),
            ["product", size] => Work::Product(size.parse()?),
            _ => return Err(format!("no such work: {name}").into()),
        })
    }
}

impl Experiment {
    /// All of them.
    pub const ALL: [Experiment; 4] = [Experiment::Lstm, Experiment::Dropout, Experiment::Stacked, Experiment::Gru];

    fn parse(name: &str) -> Result<Experiment, Failure> {
        let found = Experiment::ALL.into_iter().find(|experiment| experiment.name() == name);
        found.ok_or_else(|| format!("no such experiment: {name}").into())
    }

    /// The name in works and files.
    pub fn name(self) -> &'static str {
        match self {
            Experiment::Lstm => "lstm",
            Experiment::Dropout => "dropout",
            Experiment::Stacked => "stacked",
            Experiment::Gru => "gru",
        }
    }

    /// The names of its recurrent layers in the file of its weights.
    pub fn layers(self) -> &'static [&'static str] {
        match self {
            Experiment::Lstm | Experiment::Dropout => &["lstm"],
            Experiment::Stacked => &["lstm", "lstm_1"],
            Experiment::Gru => &["gru"],
        }
    }

    /// The part of each recurrent layer's inputs that is dropped, one mask for all time steps of a sample.
    pub fn dropout(self) -> f64 {
        match self {
            Experiment::Dropout | Experiment::Stacked => 0.3,
            Experiment::Lstm | Experiment::Gru => 0.0,
        }
    }
}

impl Cell {
    /// All of them.
    pub const ALL: [Cell; 3] = [Cell::Lstm, Cell::Gru, Cell::SimpleRnn];

    fn parse(name: &str) -> Result<Cell, Failure> {
        let found = Cell::ALL.into_iter().find(|cell| cell.name() == name);
        found.ok_or_else(|| format!("no such cell: {name}").into())
    }

    /// The name in works and files.
    pub fn name(self) -> &'static str {
        match self {
            Cell::Lstm => "lstm",
            Cell::Gru => "gru",
            Cell::SimpleRnn => "simple_rnn",
        }
    }

    /// Blocks of H columns in its kernels.
    pub fn gates(self) -> usize {
        match self {
            Cell::Lstm => 4,
            Cell::Gru => 3,
            Cell::SimpleRnn => 1,
        }
    }
}
