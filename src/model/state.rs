//! The state of a whole model: what its layers must remember to go on from one part of a sequence to the next.

use std::ops::Range;

use ndarray::{Array2, Axis};

use crate::error::{Error, Result};
use crate::layer::Carry;
use crate::network::{Network, Node, Workspace};
use crate::numeric::Scalar;
use crate::tensor::{State, Widths, copy_row, resize, slice, slice_mut};

/// The states of all layers of a model for a batch of samples: made by [`Model::state`](crate::models::Model::state), changed by
/// [`Predictor::step`](crate::models::Predictor::step) and [`Model::train_window`](crate::models::Model::train_window).
///
/// It is a value: clone it to try two continuations, save it to go on another day.
///
/// ```
/// use bptt::prelude::*;
/// use ndarray::Array3;
///
/// let model = Sequential::new().add(Lstm::new(4)).add(Dense::new(1)).build(Form::sequence(None, 2), 1)?;
/// let mut state = model.state(3)?;
/// model.step(&Array3::<f32>::ones((3, 5, 2)), &mut state)?;
/// assert_eq!(state.layer("lstm").unwrap().parts[0].dim(), (3, 4));
/// state.reset_sample(1)?;
/// assert!(state.layer("lstm").unwrap().parts[0].row(1).iter().all(|&h| h == 0.0));
/// # Ok::<(), bptt::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ModelState<F = f32> {
    batch: usize,
    /// Each layer of the model by name; a layer that remembers nothing has a state without parts.
    layers: Vec<(String, State<F>)>,
}

impl<F: Scalar> ModelState<F> {
    /// How many samples it is for.
    pub fn samples(&self) -> usize {
        self.batch
    }

    /// The state of the layer with this name, if it has one: a matrix (B, H) for each of its parts.
    pub fn layer(&self, name: &str) -> Option<&State<F>> {
        self.layers.iter().find(|(layer, state)| layer == name && !state.parts.is_empty()).map(|(_, state)| state)
    }

    /// The same to be changed, for example to start a decoder from what an encoder ended with. The sizes of its matrices
    /// must stay what they are.
    pub fn layer_mut(&mut self, name: &str) -> Option<&mut State<F>> {
        self.layers.iter_mut().find(|(layer, state)| layer == name && !state.parts.is_empty()).map(|(_, state)| state)
    }

    /// Sets everything to zero, as at the start of a sequence.
    pub fn reset(&mut self) {
        self.parts_mut().for_each(|(_, part)| part.fill(F::zero()));
    }

    /// Sets one sample to zero, when its sequence has ended and another one takes its place.
    ///
    /// # Errors
    ///
    /// [`Error::StateSize`] if there is no such sample; [`Error::ForeignState`] if a matrix of the state has been given other
    /// rows than the samples.
    pub fn reset_sample(&mut self, sample: usize) -> Result<()> {
        let samples = self.batch;
        if sample >= samples {
            return Err(Error::StateSize { got: samples, needs: sample.saturating_add(1) });
        }
        if let Some((name, part)) = self.parts_mut().find(|(_, part)| part.nrows() != samples) {
            let problem = format!("its matrix {name} has the size {:?} for {samples} samples", part.dim());
            return Err(Error::ForeignState { problem, samples });
        }
        self.parts_mut().for_each(|(_, part)| part.row_mut(sample).fill(F::zero()));
        Ok(())
    }

    /// Each part with its name in files.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (String, &Array2<F>)> {
        self.layers.iter().flat_map(|(name, state)| {
            let parts = state.parts.iter().enumerate();
            parts.map(move |(number, part)| (format!("{name}/{number}"), part))
        })
    }

    /// The same to be changed.
    pub(crate) fn parts_mut(&mut self) -> impl Iterator<Item = (String, &mut Array2<F>)> {
        self.layers.iter_mut().flat_map(|(name, state)| {
            let parts = state.parts.iter_mut().enumerate();
            parts.map(move |(number, part)| (format!("{name}/{number}"), part))
        })
    }

    /// Refuses a state of another model, or for another number of samples.
    pub(crate) fn check(&self, network: &Network<F>, samples: usize) -> Result<()> {
        if samples != self.batch {
            return Err(Error::StateSize { got: self.batch, needs: samples });
        }
        let foreign = |problem| Err(Error::ForeignState { problem, samples });
        let names = network.nodes.iter().map(|node| &node.name);
        if !names.clone().eq(self.layers.iter().map(|(name, _)| name)) {
            let own: Vec<_> = self.layers.iter().map(|(name, _)| name.as_str()).collect();
            let names: Vec<_> = names.map(String::as_str).collect();
            return foreign(format!("it is for the layers {}, not for {}", own.join(", "), names.join(", ")));
        }
        for (Node { layer, .. }, (name, state)) in network.nodes.iter().zip(&self.layers) {
            let needs = match layer.carry() {
                Carry::Nothing => None,
                Carry::State(widths) => Some(widths),
                Carry::Everything => {
                    return Err(Error::Layer { layer: name.clone(), cause: Box::new(Error::WholeSequence) });
                }
            };
            let widths = needs.as_ref().map_or(&[][..], Widths::as_slice);
            let needs = widths.iter().map(|&width| (samples, width));
            let got = state.parts.iter().map(|part| part.dim());
            if !got.clone().eq(needs.clone()) {
                let (got, needs): (Vec<_>, Vec<_>) = (got.collect(), needs.collect());
                return foreign(format!("its matrices for layer {name:?} have the sizes {got:?}, not {needs:?}"));
            }
        }
        Ok(())
    }

    /// Copies the states of these samples into a workspace.
    pub(crate) fn load_into(&self, samples: Range<usize>, workspace: &mut Workspace<F>) {
        for ((_, from), to) in self.layers.iter().zip(&mut workspace.states) {
            to.parts.resize_with(from.parts.len(), Default::default);
            for (from, to) in from.parts.iter().zip(&mut to.parts) {
                let width = from.ncols();
                resize(to, (samples.len(), width));
                match from.as_slice() {
                    Some(from) => copy_row(&from[samples.start * width..samples.end * width], slice_mut(to)),
                    None => to.assign(&from.slice_axis(Axis(0), samples.clone().into())),
                }
            }
        }
    }

    /// Copies the states of these samples back.
    pub(crate) fn take_from(&mut self, samples: Range<usize>, workspace: &Workspace<F>) {
        for ((_, to), from) in self.layers.iter_mut().zip(&workspace.states) {
            for (to, from) in to.parts.iter_mut().zip(&from.parts) {
                let width = from.ncols();
                match to.as_slice_mut() {
                    Some(to) => copy_row(slice(from), &mut to[samples.start * width..samples.end * width]),
                    None => to.slice_axis_mut(Axis(0), samples.clone().into()).assign(from),
                }
            }
        }
    }
}

/// Zero for each layer.
pub(super) fn zeros<F: Scalar>(network: &Network<F>, batch: usize) -> Result<ModelState<F>> {
    let layers = network.nodes.iter().map(|node| match node.layer.carry() {
        Carry::Nothing => Ok((node.name.clone(), State::default())),
        Carry::State(widths) => Ok((node.name.clone(), State::zeros(batch, widths))),
        Carry::Everything => Err(Error::Layer { layer: node.name.clone(), cause: Box::new(Error::WholeSequence) }),
    });
    Ok(ModelState { batch, layers: layers.collect::<Result<_>>()? })
}
