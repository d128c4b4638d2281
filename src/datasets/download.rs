//! Download of Keras' `imdb.npz` and its word index, once, into this crate's cache folder.
//!
//! A file is complete or absent. The body is written to a temporary file beside its final place (`files/whole.rs`) and
//! its sha256 is checked before it is moved there. A failure removes the temporary file; the next download removes what
//! a killed one left. Every wait is bounded, so a dead server costs seconds. A file that is present is returned without
//! network access.
//!
//! [`locate`] and [`locate_word_index`] try the user's own files in the folders of [`cache`] first, then a
//! [`Download`], which has the limits.

use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sha2::{Digest, Sha256};

use super::cache;
use crate::files::whole::WholeFile;
use crate::{Error, Result};

/// Address from which Keras downloads the file.
const URL: &str = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/imdb.npz";
/// Checksum that Keras publishes for the file.
const SHA256: &str = "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f";
/// Address from which Keras downloads the word index.
const WORD_INDEX_URL: &str = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/imdb_word_index.json";
/// Checksum of the word index. Keras publishes the MD5, bfafd718b763782e994055a2d397834f; this is the sha256 of the
/// same 1,641,221 bytes.
const WORD_INDEX_SHA256: &str = "027313fe9a320280f3bf0fac5baf58c4a683cf39a7ed9c3d3d3912bde4284cf6";
/// Number of bytes that are read at once.
const CHUNK: usize = 64 * 1024;

/// Error for a failed download, which leaves no file. It is returned as an [`Error::Other`].
#[derive(Debug, thiserror::Error)]
#[error("cannot download {url}: {failure}; or save the file yourself as {}", place.display())]
#[non_exhaustive]
pub struct DownloadError {
    /// Address of the request.
    pub url: String,
    /// Path where the file was to be saved.
    pub place: PathBuf,
    /// Reason of the failure.
    pub failure: DownloadFailure,
}

/// Reason why a download failed. Each message says how to fix it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DownloadFailure {
    /// The server answered with a status other than success.
    #[error("the server answered with status {status}; check the address")]
    Status {
        /// HTTP status code.
        status: u16,
    },

    /// A wait took longer than allowed.
    #[error("no progress within {limit:?} while {phase}, after {received} bytes; try again or raise {option}")]
    TimedOut {
        /// Step of the download that timed out.
        phase: &'static str,
        /// Limit that was exceeded.
        limit: Duration,
        /// Option of [`Download`] that sets this limit.
        option: &'static str,
        /// Number of bytes of the file received until then.
        received: u64,
    },

    /// The connection could not be made, or broke.
    #[error("the connection failed after {received} bytes ({cause}); check the network and try again")]
    Connection {
        /// Number of bytes of the file received until then.
        received: u64,
        /// Error of the HTTP client.
        cause: Box<dyn std::error::Error + Send + Sync>,
    },

    /// The body is longer than allowed.
    #[error("the file has more than {limit} bytes; check the address or raise size_limit")]
    TooLarge {
        /// Limit in bytes.
        limit: u64,
    },

    /// The whole body arrived, but its checksum is wrong.
    #[error("the {received} bytes received have sha256 {found} instead of {expected}; try again or check the address")]
    Checksum {
        /// Expected checksum, in hexadecimal.
        expected: String,
        /// Checksum of the received bytes.
        found: String,
        /// Number of bytes received.
        received: u64,
    },
}

/// Returns the path of an `imdb.npz` to read, which is downloaded if necessary. The first of these that is available:
///
/// 1. `explicit`, if given: a file named by the user, used as it is,
/// 2. the file that [`cache::find`] finds: in Keras' folder, then in this crate's cache folder,
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

/// Returns the path of an `imdb_word_index.json` to read, in the same way as [`locate`].
///
/// # Errors
///
/// Those of [`locate`].
pub fn locate_word_index(explicit: Option<&Path>) -> Result<PathBuf> {
    explicit.map_or_else(|| cache::find_word_index().map_or_else(|| Download::word_index().fetch(), Ok), named)
}

/// Returns a path given by the user, or an error if there is no such file.
fn named(file: &Path) -> Result<PathBuf> {
    if file.is_file() { Ok(file.to_path_buf()) } else { Err(Error::io("read", file)(ErrorKind::NotFound.into())) }
}

/// Download of one file, by default Keras' `imdb.npz` into this crate's cache folder.
///
/// | option | default | meaning |
/// |---|---|---|
/// | [`url`](Download::url) | Keras' own address | address of the file |
/// | [`sha256`](Download::sha256) | the one that Keras publishes | required checksum of the file |
/// | [`folder`](Download::folder) | [`cache::folder`] | folder of the file; created if missing |
/// | [`connect_timeout`](Download::connect_timeout) | 5 s | time limit for the name look-up, and for the connection |
/// | [`response_timeout`](Download::response_timeout) | 10 s | time limit until the end of the response headers |
/// | [`stall_timeout`](Download::stall_timeout) | 15 s | time limit between two parts of the body |
/// | [`total_timeout`](Download::total_timeout) | 10 min | time limit for everything |
/// | [`size_limit`](Download::size_limit) | 64 MiB | maximum length of the body (the reviews have 17 MB) |
/// | [`progress`](Download::progress) | `true` | progress bar on standard error, if that is a terminal |
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
    /// Returns the download of Keras' `imdb.npz`, with the defaults listed above.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the download of Keras' `imdb_word_index.json`, with its name, address and checksum, and otherwise the
    /// defaults listed above.
    pub fn word_index() -> Self {
        Download {
            file_name: cache::WORD_INDEX_NAME,
            url: WORD_INDEX_URL.to_string(),
            sha256: WORD_INDEX_SHA256.to_string(),
            ..Self::default()
        }
    }

    /// Sets the address, `http` or `https`. For a mirror of the same file, [`sha256`](Download::sha256) stays the same.
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = url.into();
        self
    }

    /// Sets the sha256 that the body must have, as 64 hexadecimal digits of either case.
    pub fn sha256(mut self, sha256: impl Into<String>) -> Self {
        self.sha256 = sha256.into();
        self
    }

    /// Sets the folder of the file.
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Sets the time limits for looking up the server's name and for connecting to it (default 5 s each).
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets the time limit for the server's answer to a request (default 10 s).
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.response_timeout = timeout;
        self
    }

    /// Sets the time limit for pauses in the body (default 15 s).
    pub fn stall_timeout(mut self, timeout: Duration) -> Self {
        self.stall_timeout = timeout;
        self
    }

    /// Sets the time limit for the whole download (default 10 minutes), which also ends a very slow body.
    pub fn total_timeout(mut self, timeout: Duration) -> Self {
        self.total_timeout = timeout;
        self
    }

    /// Sets the maximum length of the body in bytes (default 64 MiB).
    pub fn size_limit(mut self, bytes: u64) -> Self {
        self.size_limit = bytes;
        self
    }

    /// Sets whether to draw a progress bar on standard error (default `true`; never drawn if that is not a terminal).
    pub fn progress(mut self, progress: bool) -> Self {
        self.progress = progress;
        self
    }

    /// Returns the path of the file in the folder, after downloading it if it is missing. A file that is present was
    /// checked when it was downloaded and is not checked again; delete it to download it anew.
    ///
    /// # Errors
    ///
    /// A [`DownloadError`] if the download fails, [`Error::Io`] if the folder cannot be written,
    /// [`Error::InvalidOption`] if the checksum is not 64 hexadecimal digits, or if no folder is set and the user has
    /// no home folder.
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

        // The request is sent before anything is written, so a failed request does not leave an empty folder.
        let response = self.ask().map_err(refuse)?;
        fs::create_dir_all(folder).map_err(Error::io("make the folder", folder))?;
        let mut file = WholeFile::create(&place)?;
        self.receive(response, &mut file, refuse)?;
        file.finish()?;
        Ok(place)
    }

    /// Sends the request and waits for the response headers.
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

    /// Writes the body to the temporary file and checks it.
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

    /// Returns the failure for an error of the client: a time limit, or else a failed connection.
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

    /// Returns a progress bar over the announced length, or a counter of bytes if the server announced none.
    fn bar(&self, announced: Option<u64>) -> ProgressBar {
        if !self.progress {
            return ProgressBar::hidden();
        }
        let template = match announced {
            Some(_) => "{msg} [{wide_bar}] {bytes}/{total_bytes} {eta}",
            None => "{msg} {spinner} {bytes} {bytes_per_sec}",
        };
        let bar = ProgressBar::with_draw_target(announced, ProgressDrawTarget::stderr()).with_message(self.file_name);
        // A template that does not parse would affect only the appearance.
        ProgressStyle::with_template(template).map(|style| bar.clone().with_style(style)).unwrap_or(bar)
    }
}
