//! The download against servers that misbehave in every way they can, each started here on 127.0.0.1.
//!
//! Contract: whatever the server does, `fetch` ends soon, says what happened, and leaves either the whole file or none.
//! No test leaves this machine, and every server thread ends on its own. Read next: `src/datasets/download.rs`.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bptt::Error;
use bptt::datasets::download::{Download, DownloadError, DownloadFailure, locate, locate_word_index};

/// What the servers hand out, and its sha256.
const BODY: &[u8] = b"Never a half file in place.\n";
const BODY_SHA256: &str = "e8bb3605d16346d037a3d0ebc2fb2216dd773cc81becbb055dd8b28c3a1282e1";

/// The short limit of the tests about servers that fall silent; the other limits stay far above it.
const SHORT: Duration = Duration::from_millis(300);
/// No test may take longer than this, and no server thread lives longer.
const SOON: Duration = Duration::from_secs(10);

/// Serves one connection with `answer`, called after the request's head was read. Ends after [`SOON`] if nobody comes.
fn serve(answer: impl FnOnce(&mut TcpStream) + Send + 'static) -> (String, JoinHandle<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/imdb.npz", listener.local_addr().unwrap());
    listener.set_nonblocking(true).unwrap();
    let server = thread::spawn(move || {
        let start = Instant::now();
        while start.elapsed() < SOON {
            if let Ok((mut stream, _)) = listener.accept() {
                stream.set_nonblocking(false).unwrap();
                stream.set_read_timeout(Some(SOON)).unwrap();
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|length| length == 1) {
                    head.push(byte[0]);
                }
                answer(&mut stream);
                return true;
            }
            thread::sleep(Duration::from_millis(5));
        }
        false
    });
    (url, server)
}

/// The head of an answer that announces `length` bytes.
fn head(length: usize) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n").into_bytes()
}

/// Says nothing more until the client hangs up.
fn fall_silent(stream: &mut TcpStream) {
    let _ = stream.read(&mut [0]);
}

/// A folder for one test, not there yet.
fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("download").join(test);
    let _ = fs::remove_dir_all(&folder);
    folder
}

/// A download of [`BODY`] from `url`.
fn download(url: &str, folder: &Path) -> Download {
    Download::new().url(url).sha256(BODY_SHA256).folder(folder).progress(false)
}

/// The names in a folder; none if it was not even made.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Runs a download that has to fail soon and leave nothing; gives the failure and the whole message.
fn fail(download: &Download, url: &str, folder: &Path) -> (DownloadFailure, String) {
    let start = Instant::now();
    let error = download.fetch().unwrap_err();
    assert!(start.elapsed() < SOON, "took {:?}", start.elapsed());
    assert_eq!(names(folder), [""; 0]);
    let message = error.to_string();
    let mend = format!("; or save the file yourself as {}", folder.join("imdb.npz").display());
    assert!(message.starts_with(&format!("cannot download {url}: ")) && message.ends_with(&mend), "{message}");
    match error {
        Error::Other(error) => (error.downcast::<DownloadError>().unwrap().failure, message),
        other => panic!("another error: {other}"),
    }
}

#[test]
fn the_file_arrives_whole_and_alone() {
    let folder = folder("whole");
    let (url, server) = serve(|stream| stream.write_all(&[&head(BODY.len())[..], BODY].concat()).unwrap());
    let file = download(&url, &folder).sha256(BODY_SHA256.to_uppercase()).fetch().unwrap();
    assert!(server.join().unwrap());
    assert_eq!(file, folder.join("imdb.npz"));
    assert_eq!(fs::read(&file).unwrap(), BODY);
    assert_eq!(names(&folder), ["imdb.npz"]);
}

#[test]
fn the_defaults_are_those_of_keras() {
    let defaults = format!("{:?}", Download::new());
    for part in [
        "\"https://storage.googleapis.com/tensorflow/tf-keras-datasets/imdb.npz\"",
        "\"69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f\"",
        "connect_timeout: 5s",
        "progress: true",
    ] {
        assert!(defaults.contains(part), "{part} is not in {defaults}");
    }
}

#[test]
fn the_word_index_has_its_own_name_address_and_checksum() {
    let defaults = format!("{:?}", Download::word_index());
    for part in [
        "\"https://storage.googleapis.com/tensorflow/tf-keras-datasets/imdb_word_index.json\"",
        "\"027313fe9a320280f3bf0fac5baf58c4a683cf39a7ed9c3d3d3912bde4284cf6\"",
    ] {
        assert!(defaults.contains(part), "{part} is not in {defaults}");
    }
    let folder = folder("word-index");
    let (url, server) = serve(|stream| stream.write_all(&[&head(BODY.len())[..], BODY].concat()).unwrap());
    let download = Download::word_index().url(&url).sha256(BODY_SHA256).folder(&folder).progress(false);
    assert_eq!(download.fetch().unwrap(), folder.join("imdb_word_index.json"));
    assert!(server.join().unwrap());
    assert_eq!(names(&folder), ["imdb_word_index.json"]);
}

#[test]
fn what_a_killed_download_left_is_replaced() {
    let folder = folder("killed");
    fs::create_dir_all(&folder).unwrap();
    // No process has this number, and no lock.
    fs::write(folder.join(".imdb.npz.4294967295.0.part"), &BODY[..9]).unwrap();
    let (url, server) = serve(|stream| stream.write_all(&[&head(BODY.len())[..], BODY].concat()).unwrap());
    let file = download(&url, &folder).fetch().unwrap();
    assert!(server.join().unwrap());
    assert_eq!(fs::read(file).unwrap(), BODY);
    assert_eq!(names(&folder), ["imdb.npz"]);
}

#[test]
fn a_body_of_unannounced_length_arrives_too() {
    let folder = folder("unannounced");
    let (url, server) = serve(|stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n").unwrap();
        stream.write_all(BODY).unwrap();
    });
    let file = download(&url, &folder).progress(true).fetch().unwrap();
    assert!(server.join().unwrap());
    assert_eq!(fs::read(file).unwrap(), BODY);
}

#[test]
fn a_file_that_is_there_is_used_without_asking() {
    let folder = folder("there");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("imdb.npz"), "somebody's own").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}/imdb.npz", listener.local_addr().unwrap());
    let file = download(&url, &folder).fetch().unwrap();
    assert_eq!(fs::read_to_string(file).unwrap(), "somebody's own");
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "the server was contacted");
}

#[test]
fn a_missing_page_is_named() {
    let folder = folder("missing");
    let (url, server) =
        serve(|stream| stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone").unwrap());
    let (failure, message) = fail(&download(&url, &folder), &url, &folder);
    assert!(server.join().unwrap());
    assert!(matches!(failure, DownloadFailure::Status { status: 404 }), "{failure:?}");
    assert!(message.contains("the server answered with status 404; check the address"), "{message}");
}

#[test]
fn a_truncated_body_is_not_a_file() {
    let folder = folder("truncated");
    let (url, server) = serve(|stream| stream.write_all(&[&head(BODY.len() + 100)[..], BODY].concat()).unwrap());
    let (failure, message) = fail(&download(&url, &folder), &url, &folder);
    assert!(server.join().unwrap());
    assert!(matches!(failure, DownloadFailure::Connection { received: 28, .. }), "{failure:?}");
    assert!(message.contains("the connection failed after 28 bytes"), "{message}");
}

#[test]
fn other_bytes_are_refused() {
    let folder = folder("checksum");
    let (url, server) = serve(|stream| stream.write_all(&[&head(5)[..], b"other"].concat()).unwrap());
    let (failure, message) = fail(&download(&url, &folder), &url, &folder);
    assert!(server.join().unwrap());
    let DownloadFailure::Checksum { expected, found, received: 5 } = failure else { panic!("{failure:?}") };
    assert_eq!((expected.as_str(), found.len()), (BODY_SHA256, 64));
    assert!(message.contains(&format!("the 5 bytes received have sha256 {found} instead of {expected}")), "{message}");
}

#[test]
fn a_server_that_is_gone_is_refused_at_once() {
    let folder = folder("gone");
    // Bound to get a free port, dropped to close it.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{address}/imdb.npz");
    let (failure, message) = fail(&download(&url, &folder), &url, &folder);
    assert!(matches!(failure, DownloadFailure::Connection { received: 0, .. }), "{failure:?}");
    assert!(
        message.contains("the connection failed after 0 bytes") && message.contains("check the network"),
        "{message}"
    );
}

#[test]
fn a_server_that_never_answers_is_left() {
    let folder = folder("silent");
    let (url, server) = serve(fall_silent);
    let (failure, message) = fail(&download(&url, &folder).response_timeout(SHORT), &url, &folder);
    assert!(server.join().unwrap());
    assert!(matches!(failure, DownloadFailure::TimedOut { received: 0, limit: SHORT, .. }), "{failure:?}");
    assert!(message.contains("no progress within 300ms while waiting for an answer, after 0 bytes"), "{message}");
    assert!(message.contains("raise response_timeout"), "{message}");
}

#[test]
fn a_body_that_stalls_is_left() {
    let folder = folder("stalled");
    let (url, server) = serve(|stream| {
        stream.write_all(&[&head(1_000)[..], BODY].concat()).unwrap();
        fall_silent(stream);
    });
    let (failure, message) = fail(&download(&url, &folder).stall_timeout(SHORT), &url, &folder);
    assert!(server.join().unwrap());
    assert!(matches!(failure, DownloadFailure::TimedOut { received: 28, limit: SHORT, .. }), "{failure:?}");
    assert!(message.contains("no progress within 300ms while receiving, after 28 bytes"), "{message}");
    assert!(message.contains("raise stall_timeout"), "{message}");
}

#[test]
fn a_body_that_trickles_ends_with_the_total_limit() {
    let folder = folder("trickle");
    let (url, server) = serve(|stream| {
        stream.write_all(&head(1_000)).unwrap();
        // Ends when the client hangs up.
        while stream.write_all(b".").is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    });
    let (failure, message) = fail(&download(&url, &folder).total_timeout(SHORT), &url, &folder);
    assert!(server.join().unwrap());
    assert!(matches!(failure, DownloadFailure::TimedOut { option: "total_timeout", limit: SHORT, .. }), "{message}");
}

#[test]
fn a_body_beyond_the_limit_is_refused_announced_or_not() {
    for announced in [true, false] {
        let folder = folder(if announced { "large-announced" } else { "large" });
        let (url, server) = serve(move |stream| {
            let head = if announced { head(BODY.len()) } else { b"HTTP/1.1 200 OK\r\n\r\n".to_vec() };
            let _ = stream.write_all(&[&head[..], BODY].concat());
        });
        let (failure, message) = fail(&download(&url, &folder).size_limit(27), &url, &folder);
        assert!(server.join().unwrap());
        assert!(matches!(failure, DownloadFailure::TooLarge { limit: 27 }), "{failure:?}");
        assert!(
            message.contains("the file has more than 27 bytes; check the address or raise size_limit"),
            "{message}"
        );
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let parent = folder("occupied");
    fs::create_dir_all(&parent).unwrap();
    fs::write(parent.join("file"), "").unwrap();
    let (url, server) = serve(|stream| stream.write_all(&[&head(BODY.len())[..], BODY].concat()).unwrap());
    let error = download(&url, &parent.join("file")).fetch().unwrap_err();
    assert!(server.join().unwrap());
    assert!(error.to_string().starts_with("cannot make the folder "), "{error}");
}

#[test]
fn a_checksum_that_is_none_is_refused_before_asking() {
    let error = download("http://127.0.0.1:1/", &folder("digits")).sha256("abc").fetch().unwrap_err();
    assert_eq!(error.to_string(), "sha256 is \"abc\", but must be 64 hexadecimal digits");
}

#[test]
fn a_file_that_the_user_names_is_taken_as_it_is() {
    let folder = folder("explicit");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("mine.npz");
    let error = locate(Some(&file)).unwrap_err();
    assert!(error.to_string().contains("mine.npz"), "{error}");
    fs::write(&file, "any bytes").unwrap();
    assert_eq!(locate(Some(&file)).unwrap(), file);
    assert_eq!(locate_word_index(Some(&file)).unwrap(), file);
    let error = locate_word_index(Some(&folder.join("none.json"))).unwrap_err();
    assert!(error.to_string().contains("none.json"), "{error}");
}
