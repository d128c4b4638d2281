//! The Tokenizer against Keras' legacy class: words, counts, indices, sequences, texts and files.

use bptt::preprocessing::Tokenizer;
use serde_json::{Value, json};

use super::golden;

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

fn sequences(value: &Value) -> Vec<Vec<u32>> {
    serde_json::from_value(value.clone()).unwrap()
}

fn tokenizer(options: &Value) -> Tokenizer {
    let mut tokenizer = Tokenizer::new();
    for (name, value) in options.as_object().unwrap() {
        let text = value.as_str().unwrap_or_default();
        tokenizer = match name.as_str() {
            "num_words" => tokenizer.num_words(value.as_u64().unwrap() as u32),
            "filters" => tokenizer.filters(text),
            "lower" => tokenizer.lower(value.as_bool().unwrap()),
            "split" => tokenizer.split(text),
            "char_level" => tokenizer.char_level(value.as_bool().unwrap()),
            "oov_token" => tokenizer.oov_token(text),
            name => panic!("no option {name}"),
        };
    }
    tokenizer
}

/// A file as a value, with the entries that are JSON in a string as values too.
fn opened(mut file: Value) -> Value {
    for entry in ["word_counts", "word_docs", "index_docs", "index_word", "word_index"] {
        let text = file["config"][entry].as_str().unwrap();
        file["config"][entry] = serde_json::from_str(text).unwrap();
    }
    file
}

fn reread(tokenizer: &Tokenizer) -> Tokenizer {
    Tokenizer::from_json(&tokenizer.to_json().unwrap()).unwrap()
}

#[test]
fn tokenizer_is_keras() {
    for case in golden("tokenizer")["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let mut ours = tokenizer(&case["options"]);
        for (fit, state) in case["fits"].as_array().unwrap().iter().zip(case["states"].as_array().unwrap()) {
            // What is read again goes on like what was written.
            ours = reread(&ours);
            ours.fit_on_texts(strings(fit));
            assert_eq!(json!(ours.document_count()), state["document_count"], "{name}");
            assert_eq!(json!(ours.word_counts().collect::<Vec<_>>()), state["word_counts"], "{name}");
            assert_eq!(json!(ours.word_index().collect::<Vec<_>>()), state["word_index"], "{name}");
            for (word, index) in ours.word_index() {
                assert_eq!((ours.index(word), ours.word(index)), (Some(index), Some(word)), "{name}");
            }

            let mut known = ours.texts_to_sequences(strings(&case["texts"]));
            assert_eq!(known, sequences(&state["sequences"]), "{name}");
            known.extend(sequences(&case["indices"]));
            assert_eq!(ours.sequences_to_texts(&known), strings(&state["texts"]), "{name}");
        }
        assert_eq!(reread(&ours), ours, "{name}");
    }
}

#[test]
fn files_go_both_ways() {
    for case in golden("tokenizer")["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let theirs = Tokenizer::from_json(&case["json"].to_string()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut ours = tokenizer(&case["options"]);
        case["fits"].as_array().unwrap().iter().for_each(|fit| ours.fit_on_texts(strings(fit)));
        // A num_words of 0 is none.
        assert_eq!(theirs, ours, "{name}");
        let mut golden = opened(case["json"].clone());
        if golden["config"]["num_words"] == 0 {
            golden["config"]["num_words"] = Value::Null;
        }
        assert_eq!(opened(serde_json::from_str(&ours.to_json().unwrap()).unwrap()), golden, "{name}");
    }
}

#[test]
fn files_that_do_not_add_up_are_refused() {
    let file = |edit: &dyn Fn(&mut Value)| {
        let mut ours = Tokenizer::new().oov_token("?");
        ours.fit_on_texts(["a b a"]);
        let mut file: Value = serde_json::from_str(&ours.to_json().unwrap()).unwrap();
        edit(&mut file);
        Tokenizer::from_json(&file.to_string())
    };
    assert!(file(&|_| ()).is_ok());

    let refused = |edit: &dyn Fn(&mut Value), says: &str| {
        let message = file(edit).unwrap_err().to_string();
        assert!(message.starts_with("cannot use the words: ") && message.contains(says), "{message}");
    };
    refused(&|file| *file = json!([1]), "the file is not the JSON that it should be");
    refused(&|file| file["class_name"] = json!("Sequential"), "its class_name is \"Sequential\", not \"Tokenizer\"");
    refused(&|file| file["config"]["analyzer"] = json!(null), "unknown field `analyzer`");
    refused(&|file| drop(file["config"].as_object_mut().unwrap().remove("lower")), "missing field `lower`");
    let with = |entry: &'static str, text: &'static str| move |file: &mut Value| file["config"][entry] = json!(text);
    refused(&with("word_counts", "{\"a\":2"), "word_counts is not the JSON that it should be (EOF");
    refused(&with("word_counts", "{\"a\":2,\"b\":1,\"a\":2}"), "\"a\" stands there twice");
    refused(&with("word_counts", "{\"a\":2,\"b\":-1}"), "word_counts is not the JSON that it should be (invalid value");
    refused(&with("word_counts", "{\"a\":1,\"b\":2}"), "its word_index does not agree with its word_counts");
    refused(&with("word_docs", "{\"a\":1}"), "its word_docs does not agree");
    refused(&with("word_docs", "{\"a\":1,\"c\":1}"), "its word_docs does not agree");
    refused(&with("word_index", "{\"?\":1,\"b\":2,\"a\":3}"), "its word_index does not agree");
    refused(&with("word_index", "{}"), "its word_index does not agree");
    refused(&with("index_word", "{\"1\":\"?\",\"2\":\"a\"}"), "its index_word does not agree");
    refused(&with("index_docs", "{\"2\":1,\"3\":7}"), "its index_docs does not agree");

    let path = std::env::temp_dir().join(format!("bptt-no-tokenizer-{}.json", std::process::id()));
    std::fs::write(&path, "{}").unwrap();
    let message = Tokenizer::load(&path).unwrap_err().to_string();
    std::fs::remove_file(&path).unwrap();
    assert!(message.contains(&*path.to_string_lossy()) && message.contains("missing field `class_name`"), "{message}");
    assert!(Tokenizer::load(&path).unwrap_err().to_string().starts_with("cannot read "));
}
