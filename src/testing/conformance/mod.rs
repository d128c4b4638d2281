//! Laws of every recurrent layer, as tests for a cell of your own.
//!
//! One line in a module of tests generates a test of each law:
//!
//! ```
//! # use bptt::layer::Describe;
//! # use bptt::numeric::Lane;
//! # use bptt::recurrent::{Gated, Gates, Rnn};
//! # use serde::{Deserialize, Serialize};
//! # #[derive(Clone, Debug, Serialize, Deserialize)]
//! # struct Leaky;
//! # impl Describe for Leaky {
//! #     fn kind() -> &'static str {
//! #         "docs::Leaky"
//! #     }
//! # }
//! # impl Gates for Leaky {
//! #     type Blocks<L: Lane> = [L; 2];
//! #     type States<L: Lane> = [L; 1];
//! #     #[inline(always)]
//! #     fn forward<L: Lane>(&self, [a, b]: [L; 2], [h]: [L; 1]) -> ([L; 2], [L; 1]) {
//! #         let (a, b) = (a.sigmoid(), b.tanh());
//! #         ([a, b], [h + a * (b - h)])
//! #     }
//! #     #[inline(always)]
//! #     fn backward<L: Lane>(&self, [a, b]: [L; 2], [h]: [L; 1], _: [L; 1], [d]: [L; 1]) -> ([L; 2], [L; 1]) {
//! #         let one = a.splat(1.0);
//! #         ([d * (b - h) * a * (one - a), d * a * (one - b * b)], [d * (one - a)])
//! #     }
//! # }
//! bptt::conformance!(leaky, Rnn::from_cell(Gated::new(Leaky, 8)));
//! ```
//!
//! The tests are `leaky::gradients_are_right` and so on. Without a test harness, [`violations`] checks all laws. Each
//! law is a function of this module, which returns a [`Violation`] with the law, the sizes and the numbers if the layer
//! breaks it. A panic inside the cell (a product of matrices that do not fit, a state of a wrong size) is returned as a
//! violation too.
//!
//! # Test conditions
//!
//! Inputs have 4 features. Weights, including biases, are random numbers within ±0.7, smaller for wide layers. The laws
//! set the options of the layer itself (dropout, order, `return_sequences`), so only its cell counts. The cell must
//! support both precisions: `f64` for gradients, `f32` for the bits of training. Inputs as rows of a table
//! ([`Cell::takes_lookups`]) are not tested.
//!
//! Compile the tests with optimization to keep them fast: `[profile.test]` with `opt-level = 3` in `Cargo.toml`.
//!
//! A cell that draws its own masks ([`Step::pass`](crate::recurrent::Step::pass), for example for zoneout) is meant to
//! differ between training and inference, and from step to step. Check it with all laws at the rate 0, and at another
//! rate with the laws that still apply: all except [`inference_is_training`], [`two_parts_are_one_sequence`] and
//! [`padding_changes_nothing`].

mod masks;
mod models;
mod passes;
mod problem;
mod runs;

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::recurrent::{Cell, Rnn};

pub use masks::{
    a_mask_of_all_steps_is_no_mask, backwards_is_the_reversed_sequence, masked_steps_leave_the_state,
    padding_changes_nothing,
};
pub use models::{a_saved_model_gives_the_same_outputs, threads_change_no_bit};
pub use passes::{
    a_used_cache_is_as_a_fresh_one, every_parameter_gets_a_gradient, gradients_are_added, gradients_are_right,
    steps_keep_sizes,
};
pub use runs::{
    a_batch_is_the_sum_of_its_shards, inference_is_training, run_is_the_loop_over_steps, streaming_is_the_whole_run,
    two_parts_are_one_sequence, without_samples_nothing_comes, without_steps_the_state_stays,
};

/// Law that a layer breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Law, by the name of its function.
    pub law: &'static str,
    /// Sizes and options with which it is broken.
    pub case: String,
    /// Description of the difference, or the message of the cell's panic.
    pub problem: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Violation { law, case, problem } = self;
        write!(f, "{law} does not hold for {case}: {problem}")
    }
}

impl std::error::Error for Violation {}

/// Result of a law.
pub type Verdict = std::result::Result<(), Violation>;

/// Result inside a law: the problem, if there is one.
type Checked = std::result::Result<(), String>;

/// Runs a law's check, which writes the current case into its argument. A panic in it is also a violation.
fn hold(law: &'static str, check: impl FnOnce(&mut String) -> Checked) -> Verdict {
    let mut case = String::new();
    let checked = catch_unwind(AssertUnwindSafe(|| check(&mut case)))
        .unwrap_or_else(|panic| Err(format!("the cell panicked: {}", message(&*panic))));
    checked.map_err(|problem| Violation { law, case, problem })
}

/// Returns the message of a panic.
fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it did not say why")
}

/// Passes the names of all laws to a macro. This is the only list of them.
#[doc(hidden)]
#[macro_export]
macro_rules! conformance_laws {
    ([$($then:tt)*] $($given:tt)*) => {
        $($then)*! {
            $($given)*
            steps_keep_sizes
            run_is_the_loop_over_steps
            inference_is_training
            streaming_is_the_whole_run
            a_batch_is_the_sum_of_its_shards
            two_parts_are_one_sequence
            without_steps_the_state_stays
            without_samples_nothing_comes
            a_used_cache_is_as_a_fresh_one
            gradients_are_added
            every_parameter_gets_a_gradient
            gradients_are_right
            masked_steps_leave_the_state
            a_mask_of_all_steps_is_no_mask
            padding_changes_nothing
            backwards_is_the_reversed_sequence
            a_saved_model_gives_the_same_outputs
            threads_change_no_bit
        }
    };
}

/// Generates a module with a test of each law of [`conformance`](crate::testing::conformance) for a recurrent layer.
///
/// `conformance!(name, layer)` takes the module's name and an expression for the [`Rnn`](crate::recurrent::Rnn). Names
/// in the expression must be in scope at the macro call.
#[macro_export]
macro_rules! conformance {
    (@tests $name:ident, ($layer:expr) $($law:ident)+) => {
        mod $name {
            #[allow(unused_imports, reason = "a layer may be named by its whole path")]
            use super::*;

            $(
                #[test]
                fn $law() {
                    $crate::testing::conformance::$law(&$layer).unwrap_or_else(|violation| panic!("{violation}"));
                }
            )+
        }
    };
    ($name:ident, $layer:expr $(,)?) => {
        $crate::conformance_laws!([$crate::conformance] @tests $name, ($layer));
    };
}

/// Checks all laws, and returns a violation for each that the layer breaks.
pub fn violations<C: Cell<f32> + Cell<f64>>(layer: &Rnn<C>) -> Vec<Violation> {
    macro_rules! all {
        ($($law:ident)+) => { [$($law(layer)),+] };
    }
    crate::conformance_laws!([all]).into_iter().filter_map(Verdict::err).collect()
}
