//! The arguments of a layer's passes, as structs: what is added later breaks no layer.

use super::Pass;
use crate::tensor::{State, Tensor};

/// The arguments of [`Layer::forward`](super::Layer::forward).
///
/// `F` is the number type, `C` the layer's cache.
#[derive(Debug)]
#[non_exhaustive]
pub struct Forward<'a, F, C: ?Sized> {
    /// The input.
    pub x: &'a Tensor<F>,
    /// The output, to be written.
    pub y: &'a mut Tensor<F>,
    /// What the backward pass will need, to be written.
    pub cache: &'a mut C,
    /// Training or not, which steps count, where random masks come from.
    pub pass: Pass<'a>,
    /// The state to start from, which becomes the one after the pass. Without one a sequence starts from zero.
    pub state: Option<&'a mut State<F>>,
    /// The steps after which the state is taken: all if `None`. Fewer only in training.
    pub kept: Option<usize>,
}

impl<'a, F, C: ?Sized> Forward<'a, F, C> {
    /// A pass over `x` that writes `y` and `cache`.
    pub fn new<'p: 'a>(x: &'a Tensor<F>, y: &'a mut Tensor<F>, cache: &'a mut C, pass: Pass<'p>) -> Self {
        Forward { x, y, cache, pass: pass.shorten(), state: None, kept: None }
    }

    /// The pass from this state, which becomes the one after it.
    pub fn state(self, state: &'a mut State<F>) -> Self {
        Forward { state: Some(state), ..self }
    }

    /// The pass whose state is taken after so many steps.
    pub fn kept(self, steps: usize) -> Self {
        Forward { kept: Some(steps), ..self }
    }

    /// The same with another cache.
    pub(crate) fn with_cache<'b, D: ?Sized>(self, change: impl FnOnce(&'a mut C) -> &'b mut D) -> Forward<'b, F, D>
    where
        'a: 'b,
    {
        let Forward { x, y, cache, pass, state, kept } = self;
        Forward { x, y, cache: change(cache), pass: pass.shorten(), state, kept }
    }
}

/// The arguments of [`Layer::backward`](super::Layer::backward).
///
/// `F` is the number type, `C` the layer's cache, `W` its weights.
#[derive(Debug)]
#[non_exhaustive]
pub struct Backward<'a, F, C: ?Sized, W: ?Sized> {
    /// The input of the forward pass.
    pub x: &'a Tensor<F>,
    /// Its output.
    pub y: &'a Tensor<F>,
    /// The gradient of the output.
    pub dy: &'a Tensor<F>,
    /// The gradient of the input, to be written if it is asked for.
    pub dx: Option<&'a mut Tensor<F>>,
    /// What the forward pass left; it may be destroyed.
    pub cache: &'a mut C,
    /// The gradients of the weights, to be added to.
    pub gradients: &'a mut W,
    /// The pass of the forward pass.
    pub pass: Pass<'a>,
    /// The gradient of the last state, which becomes that of the first. Without one the last state is not used.
    pub dstate: Option<&'a mut State<F>>,
}

impl<'a, F, C: ?Sized, W: ?Sized> Backward<'a, F, C, W> {
    /// The way back of a forward pass, of `x` to `y`, from `dy` to `gradients`.
    pub fn new<'p: 'a>(
        (x, y): (&'a Tensor<F>, &'a Tensor<F>),
        dy: &'a Tensor<F>,
        cache: &'a mut C,
        gradients: &'a mut W,
        pass: Pass<'p>,
    ) -> Self {
        Backward { x, y, dy, dx: None, cache, gradients, pass: pass.shorten(), dstate: None }
    }

    /// The same that writes the gradient of the input.
    pub fn dx(self, dx: &'a mut Tensor<F>) -> Self {
        Backward { dx: Some(dx), ..self }
    }

    /// The same from the gradient of the last state, which becomes that of the first.
    pub fn dstate(self, dstate: &'a mut State<F>) -> Self {
        Backward { dstate: Some(dstate), ..self }
    }

    /// The same with another cache and other gradients.
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
