//! The reviews of the four examples: 20,000 to train on, 5,000 to validate with, 25,000 to test with, as in the Keras
//! chapter; the last 100 tokens of each, of the 500 most frequent words.

use std::path::PathBuf;

use bptt::Result;
use bptt::datasets::imdb::LoadData;
use bptt::datasets::{Synthetic, download};
use bptt::preprocessing::{pad_sequences, train_test_split};
use ndarray::Array2;

use super::Options;

const NUM_WORDS: u32 = 500;
const MAXLEN: usize = 100;

/// Padded reviews with their labels.
pub struct Reviews {
    /// `imdb` or `synthetic`.
    pub source: &'static str,
    pub train: Array2<u32>,
    pub train_labels: Vec<u8>,
    pub validation: Array2<u32>,
    pub validation_labels: Vec<u8>,
    pub test: Array2<u32>,
    pub test_labels: Vec<u8>,
}

/// Loads the reviews that the options name, or the first that can be had: Keras' file, a download, a made-up corpus.
pub fn load(options: &Options) -> Result<Reviews> {
    let file = if options.synthetic { None } else { locate(options)? };
    let (source, corpus) = match file {
        Some(file) => ("imdb", LoadData::new().num_words(NUM_WORDS).load(file)?),
        None => {
            eprintln!("Using a made-up corpus: the figures below are NOT those of the IMDB reviews.");
            ("synthetic", Synthetic::new(options.seed).num_words(NUM_WORDS).generate()?)
        }
    };
    let split = train_test_split(&corpus.train.sequences, &corpus.train.labels, 0.2, 42)?;
    Ok(Reviews {
        source,
        train: pad_sequences(&split.train_samples, MAXLEN),
        train_labels: split.train_labels,
        validation: pad_sequences(&split.test_samples, MAXLEN),
        validation_labels: split.test_labels,
        test: pad_sequences(&corpus.test.sequences, MAXLEN),
        test_labels: corpus.test.labels,
    })
}

/// The file of the reviews, if there is one on this machine or it can be fetched. A file that was named must be there.
fn locate(options: &Options) -> Result<Option<PathBuf>> {
    match download::locate(options.data.as_deref()) {
        Ok(file) => Ok(Some(file)),
        Err(error) if options.data.is_some() => Err(error),
        // No network, or nowhere to put the file: the example still runs.
        Err(error) => {
            eprintln!("{error}");
            Ok(None)
        }
    }
}
