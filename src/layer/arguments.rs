//! Arguments of a layer's passes, as structs, so that new fields break no layer.

use super::Pass;
use crate::tensor::{State, Tensor};

/// Arguments of [`Layer::forward`](super::Layer::forward).
///
/// `F` is the number type, `C` the layer's cache.
#[derive(Debug)]
#[non_exhaustive]
pub struct Forward<'a, F, C: ?Sized> {
    /// Input.
    pub x: &'a Tensor<F>,
    /// Output, to be written.
    pub y: &'a mut Tensor<F>,
    /// Cache for the backward pass, to be written.
    pub cache: &'a mut C,
    /// Mode of the pass: training or not, mask, source of dropout masks.
    pub pass: Pass<'a>,
    /// Initial state, replaced by the state after the pass. Without one a sequence starts from zero.
    pub state: Option<&'a mut State<F>>,
    /// Number of steps after which the state is taken; `None` for all. Fewer only in training.
    pub kept: Option<usize>,
}

impl<'a, F, C: ?Sized> Forward<'a, F, C> {
    /// Returns the arguments of a pass over `x` that writes `y` and `cache`.
    pub fn new<'p: 'a>(x: &'a Tensor<F>, y: &'a mut Tensor<F>, cache: &'a mut C, pass: Pass<'p>) -> Self {
        Forward { x, y, cache, pass: pass.shorten(), state: None, kept: None }
    }

    /// Sets the initial state, replaced by the state after the pass.
    pub fn state(self, state: &'a mut State<F>) -> Self {
        Forward { state: Some(state), ..self }
    }

    /// Sets the number of steps after which the state is taken.
    pub fn kept(self, steps: usize) -> Self {
        Forward { kept: Some(steps), ..self }
    }

    /// Replaces the cache.
    pub(crate) fn with_cache<'b, D: ?Sized>(self, change: impl FnOnce(&'a mut C) -> &'b mut D) -> Forward<'b, F, D>
    where
        'a: 'b,
    {
        let Forward { x, y, cache, pass, state, kept } = self;
        Forward { x, y, cache: change(cache), pass: pass.shorten(), state, kept }
    }
}

/// Arguments of [`Layer::backward`](super::Layer::backward).
///
/// `F` is the number type, `C` the layer's cache, `W` its weights.
#[derive(Debug)]
#[non_exhaustive]
pub struct Backward<'a, F, C: ?Sized, W: ?Sized> {
    /// Input of the forward pass.
    pub x: &'a Tensor<F>,
    /// Output of the forward pass.
    pub y: &'a Tensor<F>,
    /// Gradient of the output.
    pub dy: &'a Tensor<F>,
    /// Gradient of the input, to be written if requested.
    pub dx: Option<&'a mut Tensor<F>>,
    /// Cache of the forward pass; it may be overwritten.
    pub cache: &'a mut C,
    /// Gradients of the weights, to be added to.
    pub gradients: &'a mut W,
    /// Pass given to the forward pass.
    pub pass: Pass<'a>,
    /// Gradient of the last state, replaced by that of the first. Without one the last state is not used.
    pub dstate: Option<&'a mut State<F>>,
}

impl<'a, F, C: ?Sized, W: ?Sized> Backward<'a, F, C, W> {
    /// Returns the arguments for the forward pass of `x` to `y`, from `dy` to `gradients`.
    pub fn new<'p: 'a>(
        (x, y): (&'a Tensor<F>, &'a Tensor<F>),
        dy: &'a Tensor<F>,
        cache: &'a mut C,
        gradients: &'a mut W,
        pass: Pass<'p>,
    ) -> Self {
        Backward { x, y, dy, dx: None, cache, gradients, pass: pass.shorten(), dstate: None }
    }

    /// Requests the gradient of the input.
    pub fn dx(self, dx: &'a mut Tensor<F>) -> Self {
        Backward { dx: Some(dx), ..self }
    }

    /// Sets the gradient of the last state, replaced by that of the first.
    pub fn dstate(self, dstate: &'a mut State<F>) -> Self {
        Backward { dstate: Some(dstate), ..self }
    }

    /// Replaces the cache and the gradients.
    pub(crate) fn with<'b, D: ?Sized, V: ?Sized>(
        self,
        cache: impl FnOnce(&'a mut C) -> &'b mut D,
        gradients: impl FnOnce(&'a mut W) -> &'b mut V,
    ) -> Backward<'b, F, D, V>
    where
        'a: 'b,
    {
        let Backward { x, y, dy, dx, cache: from, gradients: sums, pass, dstate } = self;
        Backward { x, y, dy, dx, cache: cache(from), gradients: gradients(sums), pass: pass.shorten(), dstate }
    }
}
