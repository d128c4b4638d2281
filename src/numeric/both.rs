//! Code for both `f32` and `f64`: generic code that is compiled once, in this crate.
//!
//! Generic code is compiled in the crate that names its types, so a program would compile all generic functions that it
//! uses again. A table of functions behind `dyn` is compiled where it is created. [`compiled_once!`] creates such a
//! table for each number type in this crate, and functions that call through it.

use super::Scalar;

/// Value for each number type. [`Scalar`]'s `choose` returns the one for its own type.
pub trait Both {
    /// Type of the value for one number type.
    type For<F: Scalar>: ?Sized;
    /// Returns the value for `f32`.
    fn single(&self) -> &Self::For<f32>;
    /// Returns the value for `f64`.
    fn double(&self) -> &Self::For<f64>;
}

/// Defines functions generic over the number type `F`, each with the function that it runs: `name(…) = path;`.
///
/// They call these functions as compiled with the crate. The table's methods are `#[inline(never)]`, because the
/// compiler may otherwise compile a small function again in a program, with everything that it refers to.
macro_rules! compiled_once {
    ($table:ident: $functions:ident {
        $($(#[$doc:meta])* $name:ident $(<$($lifetime:lifetime),+>)? ($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? = $body:path;)+
    }) => {
        /// Functions for one number type.
        pub(crate) trait $functions<F: $crate::numeric::Scalar> {
            $(fn $name $(<$($lifetime),+>)? (&self, $($argument: $type),*) $(-> $result)?;)+
        }

        /// Functions for both number types.
        pub(crate) struct $table;

        impl<F: $crate::numeric::Scalar> $functions<F> for $table {
            $(fn $name $(<$($lifetime),+>)? (&self, $($argument: $type),*) $(-> $result)? {
                $body($($argument),*)
            })+
        }

        impl $crate::numeric::Both for $table {
            type For<F: $crate::numeric::Scalar> = dyn $functions<F>;
            #[inline(never)]
            fn single(&self) -> &(dyn $functions<f32> + 'static) {
                self
            }
            #[inline(never)]
            fn double(&self) -> &(dyn $functions<f64> + 'static) {
                self
            }
        }

        $(
            $(#[$doc])*
            pub(crate) fn $name<$($($lifetime,)+)? F: $crate::numeric::Scalar>($($argument: $type),*) $(-> $result)? {
                F::choose(&$table).$name($($argument),*)
            }
        )+
    };
}
pub(crate) use compiled_once;

/// Body of a method that erases a built-in type, compiled with the crate for each number type, for example
/// `erased_here!(F, self, Dense => Arc<dyn DynLayer<F>>, |value| Arc::new(value))`.
macro_rules! erased_here {
    ($number:ident, $value:expr, $from:ty => $to:ty, $erase:expr) => {{
        #[allow(clippy::extra_unused_lifetimes, reason = "unused where a value is erased, not a reference")]
        trait Erase<$number: $crate::numeric::Scalar> {
            fn erase<'a>(&self, value: $from) -> $to;
        }
        struct Erased;
        #[allow(clippy::extra_unused_lifetimes, reason = "unused where a value is erased, not a reference")]
        impl<$number: $crate::numeric::Scalar> Erase<$number> for Erased {
            fn erase<'a>(&self, value: $from) -> $to {
                $erase(value)
            }
        }
        impl $crate::numeric::Both for Erased {
            type For<$number: $crate::numeric::Scalar> = dyn Erase<$number>;
            #[inline(never)]
            fn single(&self) -> &(dyn Erase<f32> + 'static) {
                self
            }
            #[inline(never)]
            fn double(&self) -> &(dyn Erase<f64> + 'static) {
                self
            }
        }
        $number::choose(&Erased).erase($value)
    }};
}
pub(crate) use erased_here;
