"""The goldens of the Tokenizer: what Keras' legacy class makes of a few texts, fitted in several calls.

None of the texts comes from a data set.
"""

import json

from keras.src.legacy.preprocessing.text import Tokenizer, tokenizer_from_json

PLAIN = [
    ["The cat sat on the mat.", "The dog sat; the cat ran!", ""],
    ["A dog, a cat, a mat -- don't (they) run?", "tab\tand\nline"],
]
# Words of equal count that are met in another order than that of the alphabet; a later call changes the ranks.
TIES = [["delta alpha charlie bravo", "charlie delta"], ["bravo bravo bravo alpha", "echo"]]
# Final sigmas, among them some whose neighbours are filtered only later; a capital I with a dot, which becomes two
# characters; a sharp s; combining marks; blanks that are not filtered; an emoji; a title case digraph.
UNICODE = [
    ["ΟΔΥΣΣΕΥΣ ΕΙΝΑΙ Ο ΣΟΦΟΣ.", "ΑΣ.Β ΑΣ'Β ΑΣ. Σ ΣΣ Σ'Σ", "İSTANBUL Istanbul ISTANBUL"],
    ["Straße STRASSE ẞ Über ÜBER über", "e\u0301cole \u00c9COLE école E\u0301COLE", "日本語 のテキスト、日本語。", "a\u00a0b a\u3000b a\u0085b"],
    ["Привет, МИР! привет мир", "😀 😀! ǅ Ǆ ǆ", "«Œuvre» œuvre “ŒUVRE”"],
]
# Asked of every case besides its own texts and their sequences.
UNKNOWN = ["the cat and the unicorn", "Zebra delta ALPHA", "όδος ΟΔΟΣ istanbul école ПРИВЕТ 😀", "", "..."]
INDICES = [list(range(12)), [10**6]]

CASES = {
    "plain": (PLAIN, {}),
    "ties": (TIES, {}),
    "unicode": (UNICODE, {}),
    "oov": (PLAIN, {"oov_token": "<OOV>"}),
    "oov_is_a_word": (PLAIN, {"oov_token": "dog"}),
    "oov_is_a_word+num_words": (PLAIN, {"oov_token": "dog", "num_words": 4}),
    "num_words": (PLAIN, {"num_words": 4}),
    "num_words=0": (TIES, {"num_words": 0}),
    "num_words=1+oov": (TIES, {"num_words": 1, "oov_token": "?"}),
    "num_words+oov": (TIES, {"num_words": 4, "oov_token": "[OOV]"}),
    "keeps_case": (UNICODE, {"lower": False}),
    "filters": (PLAIN, {"filters": "aeiou'"}),
    "no_filters": (PLAIN, {"filters": ""}),
    "split": (PLAIN, {"split": "t"}),
    "long_split": (PLAIN, {"split": "at", "filters": "sd"}),
    "unicode_filters": (UNICODE, {"filters": "、。«»“” ", "oov_token": "未知"}),
    "char_level": (PLAIN, {"char_level": True}),
    "char_level+unicode": (UNICODE, {"char_level": True, "oov_token": "¤", "num_words": 30}),
    "char_level+keeps_case": (UNICODE, {"char_level": True, "lower": False}),
    "nothing": ([[]], {"oov_token": "?"}),
}  # fmt: skip


def state(tokenizer, texts):
    sequences = tokenizer.texts_to_sequences(texts)
    return {
        "document_count": tokenizer.document_count,
        "word_counts": list(tokenizer.word_counts.items()),
        "word_index": sorted(tokenizer.word_index.items(), key=lambda item: item[1]),
        "sequences": sequences,
        "texts": tokenizer.sequences_to_texts([*sequences, *INDICES]),
    }


def as_json(tokenizer):
    """Keras' `to_json`, as a value, with entries in order: Python's sets have another one in every run."""
    value = json.loads(tokenizer.to_json())
    for key in ("word_docs", "index_docs"):
        entries = json.loads(value["config"][key])
        value["config"][key] = json.dumps(dict(sorted(entries.items())))
    return value


def run(name, fits, options):
    tokenizer = Tokenizer(**options)
    texts = [*(text for fit in fits for text in fit), *UNKNOWN]
    states = []
    for fit in fits:
        tokenizer.fit_on_texts(fit)
        states.append(state(tokenizer, texts))
    value = as_json(tokenizer)
    assert tokenizer_from_json(json.dumps(value)).texts_to_sequences(texts) == states[-1]["sequences"]
    return {
        "name": f"tokenizer/{name}",
        "options": options,
        "fits": fits,
        "texts": texts,
        "indices": INDICES,
        "states": states,
        "json": value,
    }


def all_cases():
    for name, (fits, options) in CASES.items():
        yield run(name, fits, options)
