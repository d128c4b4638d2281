//! Where an epoch's batches come from: rows of arrays in an order, or a source whose next batch is made in another thread
//! while the model learns from the one before.

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

/// Some rows of samples to learn from.
pub(super) struct Rows<'a, F> {
    pub(super) samples: Samples<'a, F>,
    pub(super) targets: &'a ArrangedTargets<F>,
    pub(super) rows: &'a [usize],
}

/// What the loop over epochs takes batches from.
pub(super) trait Feed<F: Scalar> {
    /// How many an epoch has, if that is known.
    fn batches(&self) -> Option<usize>;

    /// Starts an epoch, leaving out its first `done` batches.
    fn start(&mut self, key: Key, done: usize) -> Result<()>;

    /// The next batch, checked against the network and the loss; `None` when the epoch is over.
    fn next(&mut self, network: &Network<F>, loss: &dyn Loss<F>) -> Result<Option<Rows<'_, F>>>;
}

/// Arrays that were checked before: their first rows, in order or shuffled.
pub(super) struct ArrayFeed<'a, F> {
    samples: Samples<'a, F>,
    targets: &'a ArrangedTargets<F>,
    batch_size: usize,
    shuffle: bool,
    order: Vec<usize>,
    place: usize,
}

impl<'a, F: Scalar> ArrayFeed<'a, F> {
    /// Takes the first `rows`.
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

/// A source of batches, each of which is checked when it comes.
pub(super) struct SourceFeed<'s, F> {
    supply: Supply<'s, F>,
    batches: Option<usize>,
    class_weight: BTreeMap<usize, f64>,
    batch: Box<Batch<F>>,
    targets: ArrangedTargets<F>,
    rows: Vec<usize>,
}

/// How the batches of a source get here.
pub(super) enum Supply<'s, F> {
    /// In the thread that asks for one.
    Here(&'s mut dyn Batches<F>),
    /// From another thread.
    Loader(Loader<F>),
}

impl<'s, F: Scalar> SourceFeed<'s, F> {
    pub(super) fn new(supply: Supply<'s, F>, batches: Option<usize>, class_weight: BTreeMap<usize, f64>) -> Self {
        let (batch, targets) = (Box::default(), ArrangedTargets::default());
        SourceFeed { supply, batches, class_weight, batch, targets, rows: Vec::new() }
    }

    /// Takes the next batch in.
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

/// A thread that makes the next batch while the current one is being used.
pub(super) struct Loader<F> {
    orders: Sender<Order<F>>,
    made: Receiver<Result<Option<Box<Batch<F>>>>>,
    /// Batches that were ordered and not taken yet.
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
            // Whether the epoch goes on: after its end, or an error, the source is asked for no more.
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
        // What was still made for an epoch that was cut short.
        (0..std::mem::take(&mut self.waiting)).for_each(|_| drop(self.made.recv()));
        self.order(Order::Start(key));
        self.order(Order::Make(Box::default()));
    }

    /// The thread is there for as long as the loader, unless its source has panicked: then no answer comes either.
    fn order(&mut self, order: Order<F>) {
        self.waiting += usize::from(matches!(order, Order::Make(_)));
        let _ = self.orders.send(order);
    }

    /// Puts the next batch in the place of a used one.
    fn next(&mut self, batch: &mut Box<Batch<F>>) -> Result<bool> {
        // Ordered before the one that is waited for is taken, so that the thread goes on at once.
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
