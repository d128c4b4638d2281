//! Code for both `f32` and `f64`: how generic code is compiled once, within the crate.
//!
//! Generic code is compiled in the crate that names its types, so a program would compile all generic functions that it uses
//! again. A table of functions behind `dyn` is compiled where it is made. [`compiled_once!`] makes such a table for each
//! number type here, and functions that call through it.

use super::Scalar;

/// Value for either number type; [`Scalar`]'s `choose` takes the one for its own.
pub trait Both {
    /// Type of the value for one of them.
    type For<F: Scalar>: ?Sized;
    /// Returns the value for `f32`.
    fn single(&self) -> &Self::For<f32>;
    /// Returns the value for `f64`.
    fn double(&self) -> &Self::For<f64>;
}

/// Lists functions that are generic over the number type `F`, each with the one that it runs: `name(…) = path;`.
///
/// Makes functions of these names that call them as they were compiled with the crate. `#[inline(never)]`, for a small
/// function may be compiled anew in a program by the compiler's own decision, and with it all that it refers to.
macro_rules! compiled_once {
    ($table:ident: $functions:ident {
        $($(#[$doc:meta])* $name:ident $(<$($lifetime:lifetime),+>)? ($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? = $body:path;)+
    }) => {
        /// Functions for one number type.
        pub(crate) trait $functions<F: $crate::numeric::Scalar> {
            $(fn $name $(<$($lifetime),+>)? (&self, $($argument: $type),*) $(-> $result)?;)+
        }

        /// Functions for both.
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

/// The body of a method that erases a built-in type: `erased_here!(F, self: Dense => Arc<dyn DynLayer<F>>, |value|
/// Arc::new(value))` is the last expression, compiled with the crate for either number type.
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
