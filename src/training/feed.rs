//! Source of an epoch's batches: rows of arrays, or a source that prepares the next batch in another thread while the model
//! learns from the current one.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Scope;

use crate::data::Samples;
use crate::data::{ArrangedTargets, Targets};
use crate::data::{Batch, Batches};
use crate::error::{Error, Result};
use crate::losses::Loss;
use crate::network::Network;
use crate::numeric::Scalar;
use crate::random::Key;

/// Rows of samples to learn from.
pub(super) struct Rows<'a, F> {
    pub(super) samples: Samples<'a, F>,
    pub(super) targets: &'a ArrangedTargets<F>,
    pub(super) rows: &'a [usize],
}

/// Source of batches for the loop over epochs.
pub(super) trait Feed<F: Scalar> {
    /// Number of batches of an epoch, if known.
    fn batches(&self) -> Option<usize>;

    /// Starts an epoch, without its first `done` batches.
    fn start(&mut self, key: Key, done: usize) -> Result<()>;

    /// Returns the next batch, checked against the network and the loss, or `None` at the end of the epoch.
    fn next(&mut self, network: &Network<F>, loss: &dyn Loss<F>) -> Result<Option<Rows<'_, F>>>;
}

/// First rows of arrays checked before, in order or shuffled.
pub(super) struct ArrayFeed<'a, F> {
    samples: Samples<'a, F>,
    targets: &'a ArrangedTargets<F>,
    batch_size: usize,
    shuffle: bool,
    order: Vec<usize>,
    place: usize,
}

impl<'a, F: Scalar> ArrayFeed<'a, F> {
    /// Returns a feed of the first `rows` rows.
    pub(super) fn new(
        samples: Samples<'a, F>,
        targets: &'a ArrangedTargets<F>,
        rows: usize,
        batch_size: usize,
        shuffle: bool,
    ) -> Self {
        ArrayFeed { samples, targets, batch_size, shuffle, order: (0..rows).collect(), place: 0 }
    }
}

impl<F: Scalar> Feed<F> for ArrayFeed<'_, F> {
    fn batches(&self) -> Option<usize> {
        Some(self.order.len().div_ceil(self.batch_size))
    }

    fn start(&mut self, key: Key, done: usize) -> Result<()> {
        if self.shuffle {
            self.order = key.permutation(self.order.len());
        }
        self.place = (done * self.batch_size).min(self.order.len());
        Ok(())
    }

    fn next(&mut self, _: &Network<F>, _: &dyn Loss<F>) -> Result<Option<Rows<'_, F>>> {
        let rows = &self.order[self.place..self.order.len().min(self.place + self.batch_size)];
        self.place += rows.len();
        Ok((!rows.is_empty()).then_some(Rows { samples: self.samples.view(), targets: self.targets, rows }))
    }
}

/// Source of batches, each of which is checked on arrival.
pub(super) struct SourceFeed<'s, F> {
    supply: Supply<'s, F>,
    batches: Option<usize>,
    class_weight: BTreeMap<usize, f64>,
    batch: Box<Batch<F>>,
    targets: ArrangedTargets<F>,
    rows: Vec<usize>,
}

/// Thread in which a source makes its batches.
pub(super) enum Supply<'s, F> {
    /// The thread that requests one.
    Here(&'s mut dyn Batches<F>),
    /// A thread of its own.
    Loader(Loader<F>),
}

impl<'s, F: Scalar> SourceFeed<'s, F> {
    pub(super) fn new(supply: Supply<'s, F>, batches: Option<usize>, class_weight: BTreeMap<usize, f64>) -> Self {
        let (batch, targets) = (Box::default(), ArrangedTargets::default());
        SourceFeed { supply, batches, class_weight, batch, targets, rows: Vec::new() }
    }

    /// Fetches the next batch.
    fn advance(&mut self) -> Result<bool> {
        match &mut self.supply {
            Supply::Here(source) => source.next(&mut self.batch),
            Supply::Loader(loader) => loader.next(&mut self.batch),
        }
    }
}

impl<F: Scalar> Feed<F> for SourceFeed<'_, F> {
    fn batches(&self) -> Option<usize> {
        self.batches
    }

    fn start(&mut self, key: Key, done: usize) -> Result<()> {
        match &mut self.supply {
            Supply::Here(source) => source.start(key)?,
            Supply::Loader(loader) => loader.start(key),
        }
        for _ in 0..done {
            self.advance()?;
        }
        Ok(())
    }

    fn next(&mut self, network: &Network<F>, loss: &dyn Loss<F>) -> Result<Option<Rows<'_, F>>> {
        if !self.advance()? {
            return Ok(None);
        }
        let samples = Samples::from(&*self.batch);
        samples.check(network)?;
        self.targets.arrange(&Targets::from(&*self.batch), &samples, network.output(), loss)?;
        self.targets.weigh_classes(&self.class_weight)?;
        self.rows.clear();
        self.rows.extend(0..samples.len());
        Ok(Some(Rows { samples, targets: &self.targets, rows: &self.rows }))
    }
}

/// Thread that makes the next batch while the current one is in use.
pub(super) struct Loader<F> {
    orders: Sender<Order<F>>,
    made: Receiver<Result<Option<Box<Batch<F>>>>>,
    /// Number of ordered batches not yet received.
    waiting: usize,
}

enum Order<F> {
    Start(Key),
    Make(Box<Batch<F>>),
}

impl<F: Scalar> Loader<F> {
    /// Starts the thread, which ends when the loader is dropped.
    pub(super) fn start_in<'scope>(scope: &'scope Scope<'scope, '_>, source: &'scope mut dyn Batches<F>) -> Self {
        let (orders, to_do) = channel();
        let (done, made) = channel();
        scope.spawn(move || {
            // After the end of the epoch, or an error, the source is not asked again.
            let mut goes_on = false;
            for order in to_do {
                let answer = match order {
                    Order::Start(key) => match source.start(key) {
                        Ok(()) => {
                            goes_on = true;
                            continue;
                        }
                        Err(error) => Err(error),
                    },
                    Order::Make(_) if !goes_on => Ok(None),
                    Order::Make(mut batch) => match source.next(&mut batch) {
                        Ok(true) => Ok(Some(batch)),
                        Ok(false) => Ok(None),
                        Err(error) => Err(error),
                    },
                };
                goes_on = matches!(answer, Ok(Some(_)));
                if done.send(answer).is_err() {
                    return;
                }
            }
        });
        Loader { orders, made, waiting: 0 }
    }

    fn start(&mut self, key: Key) {
        // Discards batches made for an epoch that was cut short.
        (0..std::mem::take(&mut self.waiting)).for_each(|_| drop(self.made.recv()));
        self.order(Order::Start(key));
        self.order(Order::Make(Box::default()));
    }

    /// Sends an order. It fails only if the source has panicked; then no answer comes either.
    fn order(&mut self, order: Order<F>) {
        self.waiting += usize::from(matches!(order, Order::Make(_)));
        let _ = self.orders.send(order);
    }

    /// Replaces a used batch by the next one.
    fn next(&mut self, batch: &mut Box<Batch<F>>) -> Result<bool> {
        // Orders before it receives, so that the thread continues at once.
        self.order(Order::Make(std::mem::take(batch)));
        self.waiting -= 1;
        match self.made.recv() {
            Ok(Ok(Some(made))) => {
                *batch = made;
                Ok(true)
            }
            Ok(Ok(None)) => Ok(false),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(Error::Empty { what: "the source of batches", mend: "its thread has ended" }),
        }
    }
}
