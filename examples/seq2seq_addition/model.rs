//! An encoder reads a sequence, and its final state is all that the decoder knows of it (Sutskever et al. 2014).
//!
//! In training the decoder is fed the right answer, one step late (teacher forcing); afterwards, what it put out itself.

use bptt::Result;
use bptt::initializers::Init;
use bptt::layer::{Backward, Forward, Layer, Pass};
use bptt::layers::weights::{DenseCache, DenseWeights};
use bptt::losses::Loss;
use bptt::numeric::Scalar;
use bptt::prelude::*;
use bptt::random::Key;
use bptt::recurrent::{Gated, GatedWeights, LstmGates, RnnCache};
use bptt::tensor::{State, Tensor};
use ndarray::{Array1, Array2, ArrayView1};

/// The layers. They hold no numbers.
pub struct Seq2Seq {
    pub encoder: Lstm,
    pub decoder: Lstm,
    pub output: Dense,
    classes: usize,
}

/// Their weights, which the optimizer changes together.
#[derive(Clone, Debug)]
pub struct Weights<F> {
    pub encoder: GatedWeights<F>,
    pub decoder: GatedWeights<F>,
    pub output: DenseWeights<F>,
}
bptt::params!(Weights { encoder, decoder, output });

/// A batch, time first: rows of `classes` numbers, one of them 1, and for each step and sample the class to put out.
pub struct Batch<F> {
    pub questions: Tensor<F>,
    pub fed: Tensor<F>,
    pub targets: Array2<F>,
}

/// What a pass writes: kept from batch to batch, so that only the first one allocates.
pub struct Workspace<F: Scalar> {
    encoder: RnnCache<F, Gated<LstmGates>>,
    decoder: RnnCache<F, Gated<LstmGates>>,
    output: DenseCache<F>,
    /// What the encoder ends with, and the decoder goes on from.
    state: State<F>,
    dstate: State<F>,
    /// The encoder's last output, which nobody needs beside its state, and its gradient: zero.
    last: Tensor<F>,
    dlast: Tensor<F>,
    h: Tensor<F>,
    dh: Tensor<F>,
    logits: Tensor<F>,
    dlogits: Tensor<F>,
}

impl<F: Scalar> Workspace<F> {
    /// For so many samples.
    pub fn new(model: &Seq2Seq, samples: usize) -> Self {
        let state = State::zeros(samples, model.encoder.states::<F>());
        Workspace {
            encoder: RnnCache::default(),
            decoder: RnnCache::default(),
            output: DenseCache::default(),
            dstate: state.clone(),
            last: Tensor::default(),
            dlast: Tensor::Vector(Array2::zeros(state.parts[0].dim())),
            state,
            h: Tensor::default(),
            dh: Tensor::default(),
            logits: Tensor::default(),
            dlogits: Tensor::default(),
        }
    }
}

impl Seq2Seq {
    /// Layers of `units` for sequences of `classes` symbols.
    pub fn new(classes: usize, units: usize) -> Self {
        let decoder = Lstm::new(units).return_sequences(true);
        Seq2Seq { encoder: Lstm::new(units), decoder, output: Dense::new(classes), classes }
    }

    /// Weights to start with.
    pub fn build<F: Scalar>(&self, key: Key) -> Result<Weights<F>> {
        let symbols = Form::sequence(None, self.classes);
        let init = |part| Init::new(key.fold(part));
        Ok(Weights {
            encoder: self.encoder.build(symbols, &mut init(0))?,
            decoder: self.decoder.build(symbols, &mut init(1))?,
            output: self.output.build(Layer::<F>::output_form(&self.decoder, symbols)?, &mut init(2))?,
        })
    }

    /// The loss of a batch, summed over all symbols to put out; adds its gradients to `g`.
    pub fn train<F: Scalar>(
        &self,
        w: &Weights<F>,
        batch: &Batch<F>,
        room: &mut Workspace<F>,
        g: &mut Weights<F>,
    ) -> f64 {
        let Workspace { encoder, decoder, output, state, dstate, last, dlast, h, dh, logits, dlogits } = room;
        let Batch { questions, fed, targets } = batch;
        let pass = Pass::training(Key::new(0)); // no dropout, so nothing is drawn
        // The encoder starts from zero, and nobody uses what the decoder ends with.
        state.reset();
        dstate.reset();
        self.encoder.forward(&w.encoder, Forward::new(questions, last, encoder, pass).state(state));
        self.decoder.forward(&w.decoder, Forward::new(fed, h, decoder, pass).state(state));
        self.output.forward(&w.output, Forward::new(h, logits, output, pass));

        dlogits.like(logits, self.classes);
        let loss = SparseCategoricalCrossentropy::new().from_logits(true);
        let sum = loss.sum(logits.rows(), targets.view(), false, Some(dlogits.rows_mut()));

        self.output.backward(&w.output, Backward::new((h, logits), dlogits, output, &mut g.output, pass).dx(dh));
        let decoded = Backward::new((fed, h), dh, decoder, &mut g.decoder, pass);
        self.decoder.backward(&w.decoder, decoded.dstate(dstate));
        let encoded = Backward::new((questions, last), dlast, encoder, &mut g.encoder, pass);
        self.encoder.backward(&w.encoder, encoded.dstate(dstate));
        sum
    }

    /// The likeliest symbol step by step, each fed back: (steps, samples).
    pub fn answer<F: Scalar>(
        &self,
        w: &Weights<F>,
        questions: &Tensor<F>,
        start: usize,
        steps: usize,
    ) -> Array2<usize> {
        let samples = questions.batch();
        let mut room = Workspace::new(self, samples);
        let Workspace { encoder, decoder, output, state, last, logits, .. } = &mut room;
        let pass = Pass::inference();
        self.encoder.forward(&w.encoder, Forward::new(questions, last, encoder, pass).state(state));
        let mut answers = Array2::from_elem((steps, samples), start);
        let mut symbols = Array1::from_elem(samples, start);
        for mut answer in answers.rows_mut() {
            let fed =
                Array2::from_shape_fn((samples, self.classes), |(sample, class)| one_hot(symbols[sample] == class));
            self.decoder.step(&w.decoder, fed.view(), state, decoder);
            let h = Tensor::Vector(state.parts[0].clone());
            self.output.forward(&w.output, Forward::new(&h, logits, output, pass));
            symbols = logits.rows().rows().into_iter().map(likeliest).collect();
            answer.assign(&symbols);
        }
        answers
    }
}

/// 1 for the class that it is, else 0.
pub fn one_hot<F: Scalar>(is: bool) -> F {
    if is { F::one() } else { F::zero() }
}

/// Where the largest number is.
fn likeliest<F: Scalar>(row: ArrayView1<'_, F>) -> usize {
    (1..row.len()).fold(0, |best, class| if row[class] > row[best] { class } else { best })
}
