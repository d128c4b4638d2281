//! Fetches Keras' `imdb.npz` and its word index once, into this crate's cache folder.
//!
//! Contract: the file is there whole or not at all. The body goes to a temporary file beside its final place
//! (`whole_file.rs`) and is held against its sha256 before it gets there; a failure removes the temporary file, and what a
//! killed download left goes with the next one. Every wait is bounded, so a dead server costs seconds. What is there
//! already is returned without asking anyone.
//!
//! Read next: [`locate`] and [`locate_word_index`], which try the user's own files before the network; [`Download`], which holds the limits;
//! [`cache`], the places looked into.

use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sha2::{Digest, Sha256};

use super::cache;
use crate::files::whole::WholeFile;
use crate::{Error, Result};

/// Where Keras itself downloads the file from.
const URL: &str = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/imdb.npz";
/// The checksum that Keras publishes for it.
const SHA256: &str = "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f";
/// Where Keras downloads the word index from.
const WORD_INDEX_URL: &str = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/imdb_word_index.json";
/// Its checksum. Keras publishes the MD5, bfafd718b763782e994055a2d397834f; this is the sha256 of the same 1,641,221 bytes.
const WORD_INDEX_SHA256: &str = "027313fe9a320280f3bf0fac5baf58c4a683cf39a7ed9c3d3d3912bde4284cf6";
/// How much is read at once, in bytes.
const CHUNK: usize = 64 * 1024;

/// A download that did not end with the right file; nothing is left of it. It arrives as
/// [`Error::Other`].
#[derive(Debug, thiserror::Error)]
#[error("cannot download {url}: {failure}; or save the file yourself as {}", place.display())]
#[non_exhaustive]
pub struct DownloadError {
    /// The address asked.
    pub url: String,
    /// The file that it was to become.
    pub place: PathBuf,
    /// What went wrong.
    pub failure: DownloadFailure,
}

/// Why a download did not end with the right file. Each message says how to mend it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DownloadFailure {
    /// The server answered, but not with the file.
    #[error("the server answered with status {status}; check the address")]
    Status {
        /// The HTTP status code.
        status: u16,
    },

    /// Nothing happened for longer than allowed.
    #[error("no progress within {limit:?} while {phase}, after {received} bytes; try again or raise {option}")]
    TimedOut {
        /// What was being waited for.
        phase: &'static str,
        /// How long it was waited for.
        limit: Duration,
        /// The option of [`Download`] that sets this limit.
        option: &'static str,
        /// Bytes of the file received until then.
        received: u64,
    },

    /// The connection could not be made, or broke.
    #[error("the connection failed after {received} bytes ({cause}); check the network and try again")]
    Connection {
        /// Bytes of the file received until then.
        received: u64,
        /// What the HTTP client said.
        cause: Box<dyn std::error::Error + Send + Sync>,
    },

    /// The body is longer than allowed.
    #[error("the file has more than {limit} bytes; check the address or raise size_limit")]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },

    /// The whole body arrived, but it is another file.
    #[error("the {received} bytes received have sha256 {found} instead of {expected}; try again or check the address")]
    Checksum {
        /// The checksum asked for, in hexadecimal.
        expected: String,
        /// The checksum of what came.
        found: String,
        /// Bytes received.
        received: u64,
    },
}

/// The path of an `imdb.npz` to read, wherever it has to come from. In this order:
///
/// 1. `explicit`, if given: a file named by the user, taken as it is,
/// 2. what [`cache::find`] finds: Keras' folder, then this crate's cache folder,
/// 3. a [`Download`] with its defaults.
///
/// # Errors
///
/// [`Error::Io`] if `explicit` names no file; otherwise those of [`Download::fetch`].
///
/// # Example
///
/// ```
/// use std::path::Path;
///
/// use bptt::datasets::download::locate;
///
/// let error = locate(Some(Path::new("no/such/imdb.npz"))).unwrap_err();
/// assert!(error.to_string().starts_with("cannot read"));
/// ```
pub fn locate(explicit: Option<&Path>) -> Result<PathBuf> {
    explicit.map_or_else(|| cache::find().map_or_else(|| Download::new().fetch(), Ok), named)
}

/// The path of an `imdb_word_index.json` to read, wherever it has to come from: as [`locate`] finds the reviews.
///
/// # Errors
///
/// Those of [`locate`].
pub fn locate_word_index(explicit: Option<&Path>) -> Result<PathBuf> {
    explicit.map_or_else(|| cache::find_word_index().map_or_else(|| Download::word_index().fetch(), Ok), named)
}

/// A file that the user named; it must be there.
fn named(file: &Path) -> Result<PathBuf> {
    if file.is_file() { Ok(file.to_path_buf()) } else { Err(Error::io("read", file)(ErrorKind::NotFound.into())) }
}

/// A download of one file, by default Keras' `imdb.npz` into this crate's cache folder.
///
/// | option | default | meaning |
/// |---|---|---|
/// | [`url`](Download::url) | Keras' own address | what to ask for |
/// | [`sha256`](Download::sha256) | the one that Keras publishes | what the bytes must hash to |
/// | [`folder`](Download::folder) | [`cache::folder`] | where the file goes; made if missing |
/// | [`connect_timeout`](Download::connect_timeout) | 5 s | for the name look-up, and for the connection |
/// | [`response_timeout`](Download::response_timeout) | 10 s | from the request to the end of the answer's head |
/// | [`stall_timeout`](Download::stall_timeout) | 15 s | between two pieces of the body |
/// | [`total_timeout`](Download::total_timeout) | 10 min | for everything |
/// | [`size_limit`](Download::size_limit) | 64 MiB | length of the body (the reviews have 17 MB) |
/// | [`progress`](Download::progress) | `true` | a bar on standard error, if that is a terminal |
///
/// # Example
///
/// ```no_run
/// use bptt::datasets::download::Download;
///
/// # fn main() -> bptt::Result<()> {
/// let file = Download::new().folder("data").progress(false).fetch()?;
/// assert!(file.ends_with("data/imdb.npz"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Download {
    file_name: &'static str,
    url: String,
    sha256: String,
    folder: Option<PathBuf>,
    connect_timeout: Duration,
    response_timeout: Duration,
    stall_timeout: Duration,
    total_timeout: Duration,
    size_limit: u64,
    progress: bool,
}

impl Default for Download {
    fn default() -> Self {
        Download {
            file_name: cache::FILE_NAME,
            url: URL.to_string(),
            sha256: SHA256.to_string(),
            folder: cache::folder(),
            connect_timeout: Duration::from_secs(5),
            response_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_secs(15),
            total_timeout: Duration::from_secs(600),
            size_limit: 64 << 20,
            progress: true,
        }
    }
}

impl Download {
    /// The download of Keras' `imdb.npz`, with the defaults listed above.
    pub fn new() -> Self {
        Self::default()
    }

    /// The download of Keras' `imdb_word_index.json`: its name, address and checksum, and else the defaults listed above.
    pub fn word_index() -> Self {
        Download {
            file_name: cache::WORD_INDEX_NAME,
            url: WORD_INDEX_URL.to_string(),
            sha256: WORD_INDEX_SHA256.to_string(),
            ..Self::default()
        }
    }

    /// Sets the address, `http` or `https`. A mirror of the same file needs no other [`sha256`](Download::sha256).
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = url.into();
        self
    }

    /// Sets the sha256 that the body must have, as 64 hexadecimal digits of either case.
    pub fn sha256(mut self, sha256: impl Into<String>) -> Self {
        self.sha256 = sha256.into();
        self
    }

    /// Sets the folder that the file goes to.
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Sets how long looking up the server's name may take, and how long connecting to it (default 5 s each).
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets how long the server may take to answer a request (default 10 s).
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.response_timeout = timeout;
        self
    }

    /// Sets how long the body may pause (default 15 s).
    pub fn stall_timeout(mut self, timeout: Duration) -> Self {
        self.stall_timeout = timeout;
        self
    }

    /// Sets how long everything together may take (default 10 minutes), which also ends a body that merely trickles.
    pub fn total_timeout(mut self, timeout: Duration) -> Self {
        self.total_timeout = timeout;
        self
    }

    /// Sets the most bytes that the body may have (default 64 MiB).
    pub fn size_limit(mut self, bytes: u64) -> Self {
        self.size_limit = bytes;
        self
    }

    /// Sets whether to draw a progress bar on standard error (default `true`; never drawn where that is no terminal).
    pub fn progress(mut self, progress: bool) -> Self {
        self.progress = progress;
        self
    }

    /// The path of the file in the folder, downloaded first if it is not there. A file that is there was checked when
    /// it came and is not checked again: delete it to have it fetched anew.
    ///
    /// # Errors
    ///
    /// a [`DownloadError`] for everything between here and the server, [`Error::Io`] if the folder cannot be written,
    /// [`Error::InvalidOption`] if the checksum is not 64 hexadecimal digits, or no folder is set and the user has no
    /// home folder.
    pub fn fetch(&self) -> Result<PathBuf> {
        let Some(folder) = &self.folder else {
            return Err(Error::InvalidOption {
                option: "folder",
                value: "not set".to_string(),
                allowed: "set where the user has no home folder",
            });
        };
        let place = folder.join(self.file_name);
        if place.is_file() {
            return Ok(place);
        }
        if self.sha256.len() != 64 || !self.sha256.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(Error::InvalidOption {
                option: "sha256",
                value: format!("{:?}", self.sha256),
                allowed: "64 hexadecimal digits",
            });
        }
        let refuse = |failure| Error::other(DownloadError { url: self.url.clone(), place: place.clone(), failure });

        // The server is asked before anything is written: if it has no answer, not even a folder is left behind.
        let response = self.ask().map_err(refuse)?;
        fs::create_dir_all(folder).map_err(Error::io("make the folder", folder))?;
        let mut file = WholeFile::create(&place)?;
        self.receive(response, &mut file, refuse)?;
        file.finish()?;
        Ok(place)
    }

    /// Sends the request and waits for the head of the answer.
    fn ask(&self) -> std::result::Result<ureq::Body, DownloadFailure> {
        let agent = ureq::Agent::config_builder()
            .timeout_resolve(Some(self.connect_timeout))
            .timeout_connect(Some(self.connect_timeout))
            .timeout_recv_response(Some(self.response_timeout))
            .timeout_global(Some(self.total_timeout))
            .timeout_per_read(Some(self.stall_timeout))
            .http_status_as_error(false)
            .build()
            .new_agent();
        let response = agent.get(&self.url).call().map_err(|error| self.failure(error, 0))?;
        match response.status() {
            status if status.is_success() => Ok(response.into_body()),
            status => Err(DownloadFailure::Status { status: status.as_u16() }),
        }
    }

    /// Writes the body to the file on its way and checks it.
    fn receive(&self, body: ureq::Body, file: &mut WholeFile, refuse: impl Fn(DownloadFailure) -> Error) -> Result<()> {
        let too_large = || refuse(DownloadFailure::TooLarge { limit: self.size_limit });
        let announced = body.content_length();
        if announced.is_some_and(|length| length > self.size_limit) {
            return Err(too_large());
        }
        let bar = self.bar(announced);
        let mut reader = body.into_reader();
        let mut hash = Sha256::new();
        let mut received = 0;
        let mut chunk = vec![0; CHUNK];
        loop {
            let bytes = match reader.read(&mut chunk) {
                Ok(0) => break,
                Ok(length) => &chunk[..length],
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(refuse(self.failure(error.into(), received))),
            };
            received += bytes.len() as u64;
            if received > self.size_limit {
                return Err(too_large());
            }
            hash.update(bytes);
            file.write(bytes)?;
            bar.set_position(received);
        }
        bar.finish_and_clear();

        let found: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        if found.eq_ignore_ascii_case(&self.sha256) {
            Ok(())
        } else {
            Err(refuse(DownloadFailure::Checksum { expected: self.sha256.clone(), found, received }))
        }
    }

    /// Names the limit that was hit; anything else that the client reports is a failed connection.
    fn failure(&self, error: ureq::Error, received: u64) -> DownloadFailure {
        let (phase, option, limit) = match error {
            ureq::Error::Timeout(ureq::Timeout::Resolve) => {
                ("looking up the server", "connect_timeout", self.connect_timeout)
            }
            ureq::Error::Timeout(ureq::Timeout::Connect) => ("connecting", "connect_timeout", self.connect_timeout),
            ureq::Error::Timeout(ureq::Timeout::RecvResponse) => {
                ("waiting for an answer", "response_timeout", self.response_timeout)
            }
            ureq::Error::Timeout(ureq::Timeout::PerRead) => ("receiving", "stall_timeout", self.stall_timeout),
            ureq::Error::Timeout(_) => ("downloading", "total_timeout", self.total_timeout),
            other => return DownloadFailure::Connection { received, cause: Box::new(other) },
        };
        DownloadFailure::TimedOut { phase, limit, option, received }
    }

    /// A bar over the announced length, or a counter of bytes if the server announced none.
    fn bar(&self, announced: Option<u64>) -> ProgressBar {
        if !self.progress {
            return ProgressBar::hidden();
        }
        let template = match announced {
            Some(_) => "{msg} [{wide_bar}] {bytes}/{total_bytes} {eta}",
            None => "{msg} {spinner} {bytes} {bytes_per_sec}",
        };
        let bar = ProgressBar::with_draw_target(announced, ProgressDrawTarget::stderr()).with_message(self.file_name);
        // A template that did not parse would cost the looks only.
        ProgressStyle::with_template(template).map(|style| bar.clone().with_style(style)).unwrap_or(bar)
    }
}
