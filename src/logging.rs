//! What the library tells through the `log` crate, with the feature of that name; without it, nothing.
//!
//! `info` is for what happens a few times in a training (a backup is taken up, training is stopped), `debug` for what
//! happens in every epoch, `warn` for what is odd and goes on. Nothing is shown unless the program sets a logger.

/// `tell!(level, "message {}", value)`.
macro_rules! tell {
    ($level:ident, $($message:tt)*) => {{
        #[cfg(feature = "log")]
        log::$level!($($message)*);
        // Never called; what only messages name is used in every build.
        #[cfg(not(feature = "log"))]
        let _ = || drop(format!($($message)*));
    }};
}
pub(crate) use tell;
