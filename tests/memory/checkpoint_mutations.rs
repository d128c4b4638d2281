//! Ten thousand damaged files of models: no panic, and little memory.
//!
//! Read next: `../models/checkpoint.rs`, which checks what the messages say.

use std::fs;

use bptt::prelude::*;
use bptt::random::Key;
use ndarray_rand::rand::Rng;

use super::peak_of;

fn small() -> Model {
    let stack = Sequential::new().add(Embedding::new(6, 3)).add(Lstm::new(2).return_sequences(true));
    let stack = stack.add(Gru::new(2)).add(Dense::new(1).activation(Activation::Sigmoid));
    stack.build(Form::tokens(4), 7).unwrap()
}

#[test]
fn ten_thousand_mutations_neither_panic_nor_take_much_memory() {
    let path = std::env::temp_dir().join(format!("bptt-checkpoint-mutations-{}.safetensors", std::process::id()));
    small().save(&path).unwrap();
    let bytes = fs::read(&path).unwrap();
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut generator = Key::new(5).generator();
    let (mut read, mut refused) = (0, 0);
    let (peak, ()) = peak_of(|| {
        for round in 0..10_000 {
            let mut mutated = bytes.clone();
            for _ in 0..generator.random_range(1..4) {
                // Mostly in the header, where the meaning is.
                let end = if round % 4 == 0 { mutated.len() } else { header.min(mutated.len()) };
                let at = generator.random_range(0..end.max(1));
                match generator.random_range(0..4) {
                    0 => mutated[at] ^= 1 << generator.random_range(0..8),
                    1 => mutated[at] = b'0' + generator.random_range(0..10),
                    2 => mutated.truncate(at.max(9)),
                    _ => {
                        let from = generator.random_range(0..mutated.len());
                        let until = mutated.len().min(from + generator.random_range(1..16));
                        let piece = mutated[from..until].to_vec();
                        mutated.splice(at..at, piece);
                    }
                }
            }
            fs::write(&path, &mutated).unwrap();
            match Model::<f32>::load(&path) {
                Ok(_) => read += 1,
                Err(_) => refused += 1,
            }
        }
    });
    println!("{read} read, {refused} refused, at most {peak} bytes");
    assert!(refused > 5_000 && read > 0);
    assert!(peak < 64 << 20, "{peak} bytes");
}
