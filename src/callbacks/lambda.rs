//! Closures as callbacks.

use std::fmt;

use super::{Callback, Training};
use crate::error::Result;
use crate::history::Logs;

macro_rules! lambda {
    ($($hook:ident($($argument:ident: $type:ty),*) $doc:literal),+) => {
        /// Callback of closures, one for each hook in use.
        ///
        /// Closures may borrow from their environment. Their state does not survive an interruption
        /// ([`Fit::backup`](crate::models::Fit::backup)); for that implement [`Callback`].
        ///
        /// ```
        /// use bptt::callbacks::LambdaCallback;
        /// use bptt::prelude::*;
        /// use ndarray::array;
        ///
        /// let mut model = Sequential::new().add(Dense::new(1)).build(Form::vector(1), 1)?;
        /// model.compile(Sgd::new(0.1), MeanSquaredError);
        /// let mut losses = Vec::new();
        /// let mut note = LambdaCallback::new().on_epoch_end(|_, logs, training| {
        ///     losses.extend(logs.get("loss"));
        ///     if losses.len() == 3 {
        ///         training.stop();
        ///     }
        ///     Ok(())
        /// });
        /// model.fit(&array![[1.0_f32], [2.0]], &array![2.0_f32, 4.0], Fit::new().epochs(9).callback(&mut note))?;
        /// drop(note);
        /// assert_eq!(losses.len(), 3);
        /// # Ok::<(), bptt::Error>(())
        /// ```
        pub struct LambdaCallback<'a> {
            $($hook: Option<Box<dyn FnMut($($type),*) -> Result<()> + 'a>>),+
        }

        impl Default for LambdaCallback<'_> {
            fn default() -> Self {
                LambdaCallback { $($hook: None),+ }
            }
        }

        impl fmt::Debug for LambdaCallback<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct("LambdaCallback")$(.field(stringify!($hook), &self.$hook.is_some()))+.finish()
            }
        }

        impl<'a> LambdaCallback<'a> {
            /// Returns a callback that does nothing until closures are added.
            pub fn new() -> Self {
                LambdaCallback::default()
            }
            $(
                #[doc = $doc]
                pub fn $hook(mut self, closure: impl FnMut($($type),*) -> Result<()> + 'a) -> Self {
                    self.$hook = Some(Box::new(closure));
                    self
                }
            )+
        }

        impl Callback for LambdaCallback<'_> {
            $(
                fn $hook(&mut self, $($argument: $type),*) -> Result<()> {
                    self.$hook.as_mut().map_or(Ok(()), |closure| closure($($argument),*))
                }
            )+
        }
    };
}

lambda! {
    on_train_begin(training: &mut Training<'_>) "Calls `closure(training)` before the first epoch.",
    on_epoch_begin(epoch: usize, training: &mut Training<'_>) "Calls `closure(epoch, training)` before an epoch.",
    on_batch_end(batch: usize, logs: &Logs, training: &mut Training<'_>)
        "Calls `closure(batch, logs, training)` after a batch.",
    on_epoch_end(epoch: usize, logs: &mut Logs, training: &mut Training<'_>)
        "Calls `closure(epoch, logs, training)` after an epoch and its validation.",
    on_train_end(logs: &Logs, training: &mut Training<'_>) "Calls `closure(logs, training)` after the last epoch."
}
