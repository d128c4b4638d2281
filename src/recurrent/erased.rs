//! Cells without their types, as cells made of other cells hold them.

use std::fmt::Debug;

use ndarray::ArrayView2;
use serde_json::Value;

use super::cell::{Cell, CellMemory, Run, RunBack, Step, StepBack};
use crate::error::{Error, Result};
use crate::layer::{AnyWeights, DynCache, Path, WeightOptions, erased_part};
use crate::numeric::Scalar;
use crate::tensor::{State, ViewsMut, Widths};
use crate::weights::initializers::Init;

/// [`Cell`] without its types.
pub trait DynCell<F: Scalar>: Debug + Send + Sync {
    /// Returns [`Describe::kind`](crate::layer::Describe::kind).
    fn kind(&self) -> &'static str;
    /// Returns the options as they are saved.
    fn options(&self) -> Result<Value>;
    /// Calls [`Cell::states`].
    fn states(&self) -> Widths;
    /// Calls [`Cell::masks`].
    fn masks(&self) -> usize;
    /// Calls [`Cell::dropped_width`].
    fn dropped_width(&self) -> usize;
    /// Calls [`Cell::takes_lookups`].
    fn takes_lookups(&self) -> bool;
    /// Calls [`Cell::build`].
    fn build(&self, inputs: usize, init: &mut Init) -> Result<AnyWeights<F>>;
    /// Calls [`Cell::weight_options`].
    fn weight_options(&self, path: Path<'_>) -> WeightOptions;
    /// Returns a new [`Cell::Cache`].
    fn cache(&self) -> Box<DynCache>;
    /// Returns a new [`CellMemory`].
    fn memory(&self) -> Box<DynCache>;
    /// Calls [`Cell::step`] with a cache.
    fn step(&self, weights: &AnyWeights<F>, at: &Step<'_, F>, next: ViewsMut<'_, F>, cache: &mut DynCache);
    /// Calls [`Cell::step_back`] with a cache.
    fn step_back(
        &self,
        weights: &AnyWeights<F>,
        at: &Step<'_, F>,
        back: StepBack<'_, F>,
        cache: &mut DynCache,
        gradients: &mut AnyWeights<F>,
    );
    /// Calls [`Cell::advance`] with a memory.
    fn advance(&self, weights: &AnyWeights<F>, x: ArrayView2<'_, F>, state: &mut State<F>, memory: &mut DynCache);
    /// Calls [`Cell::run`] with a memory.
    fn run(&self, weights: &AnyWeights<F>, run: Run<'_, F>, memory: &mut DynCache);
    /// Calls [`Cell::run_back`] with a memory.
    fn run_back(
        &self,
        weights: &AnyWeights<F>,
        run: RunBack<'_, F>,
        memory: &mut DynCache,
        gradients: &mut AnyWeights<F>,
    );
}

/// Reason why a downcast does not fail.
const SAME_CELL: &str = "caches stay with the cell that made them";

fn memory_of<F: Scalar, C: Cell<F>>(memory: &mut DynCache) -> &mut CellMemory<F, C> {
    memory.downcast_mut().expect(SAME_CELL)
}

impl<F: Scalar, C: Cell<F>> DynCell<F> for C {
    fn kind(&self) -> &'static str {
        C::kind()
    }

    fn options(&self) -> Result<Value> {
        serde_json::to_value(self).map_err(|source| Error::options(C::kind(), source))
    }

    fn states(&self) -> Widths {
        Cell::states(self)
    }

    fn masks(&self) -> usize {
        Cell::masks(self)
    }

    fn dropped_width(&self) -> usize {
        Cell::dropped_width(self)
    }

    fn takes_lookups(&self) -> bool {
        Cell::takes_lookups(self)
    }

    fn build(&self, inputs: usize, init: &mut Init) -> Result<AnyWeights<F>> {
        Ok(AnyWeights::new(Cell::build(self, inputs, init)?))
    }

    fn weight_options(&self, path: Path<'_>) -> WeightOptions {
        Cell::weight_options(self, path)
    }

    fn cache(&self) -> Box<DynCache> {
        Box::new(C::Cache::default())
    }

    fn memory(&self) -> Box<DynCache> {
        Box::new(CellMemory::<F, C>::default())
    }

    fn step(&self, weights: &AnyWeights<F>, at: &Step<'_, F>, next: ViewsMut<'_, F>, cache: &mut DynCache) {
        Cell::step(self, weights.typed(), at, next, cache.downcast_mut().expect(SAME_CELL));
    }

    fn step_back(
        &self,
        weights: &AnyWeights<F>,
        at: &Step<'_, F>,
        back: StepBack<'_, F>,
        cache: &mut DynCache,
        gradients: &mut AnyWeights<F>,
    ) {
        let cache = cache.downcast_mut().expect(SAME_CELL);
        Cell::step_back(self, weights.typed(), at, back, cache, gradients.typed_mut());
    }

    fn advance(&self, weights: &AnyWeights<F>, x: ArrayView2<'_, F>, state: &mut State<F>, memory: &mut DynCache) {
        Cell::advance(self, weights.typed(), x, state, memory_of::<F, C>(memory));
    }

    fn run(&self, weights: &AnyWeights<F>, run: Run<'_, F>, memory: &mut DynCache) {
        Cell::run(self, weights.typed(), run, memory_of::<F, C>(memory));
    }

    fn run_back(
        &self,
        weights: &AnyWeights<F>,
        run: RunBack<'_, F>,
        memory: &mut DynCache,
        gradients: &mut AnyWeights<F>,
    ) {
        Cell::run_back(self, weights.typed(), run, memory_of::<F, C>(memory), gradients.typed_mut());
    }
}

erased_part! {
    /// Cell without its types.
    AnyCell, DynCell, Cell
}
