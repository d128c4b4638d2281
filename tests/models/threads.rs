//! Threads: the caller's, a pool of the model's, of the user's, or the pool that the caller is in. Always the same bits,
//! never a wait that does not end, and nothing started for little work.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use bptt::losses::Loss;
use bptt::prelude::*;
use ndarray::{Array1, Array2, ArrayD, s};
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

fn pool(threads: usize) -> ThreadPool {
    ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

/// Batches of three shards and one of two, each with enough work to share.
fn data() -> (Array2<u32>, Array1<f32>) {
    let tokens = Array2::from_shape_fn((163, 30), |(n, t)| ((n * 31 + t * 17) % 40) as u32);
    (tokens, Array1::from_shape_fn(163, |n| (n % 3 % 2) as f32))
}

fn model() -> Model {
    let mut model = Sequential::new()
        .add(Embedding::new(40, 8))
        .add(Lstm::new(16).dropout(0.2))
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .build(Form::tokens(30), 42)
        .unwrap();
    model.compile(Adam::new(0.01), BinaryCrossentropy::new());
    model
}

/// Trains, and gives what the model puts out afterwards.
fn outputs(mut model: Model) -> ArrayD<f32> {
    let (tokens, labels) = data();
    model.fit(&tokens, &labels, Fit::new().epochs(2).batch_size(96).validation(&tokens, &labels)).unwrap();
    model.predict(&tokens).unwrap()
}

fn on_one_thread() -> ArrayD<f32> {
    let mut model = model();
    model.set_threads(1).unwrap();
    outputs(model)
}

#[test]
fn inside_a_pool_of_the_user_it_works_and_gives_the_same_bits() {
    let expected = on_one_thread();
    for threads in [1, 3] {
        let users = pool(threads);
        assert_eq!(users.install(|| outputs(model())), expected, "in a pool of {threads}");
        // With a pool of its own from inside another.
        let mut own = model();
        own.set_threads(3).unwrap();
        assert_eq!(users.install(|| outputs(own)), expected, "its own pool in a pool of {threads}");
        // Many models at once, more than the pool has threads.
        let all: Vec<_> = users.install(|| (0..5).into_par_iter().map(|_| outputs(model())).collect());
        assert!(all.iter().all(|outputs| outputs == expected), "five in a pool of {threads}");
    }
}

#[test]
fn a_pool_that_is_given_is_shared_and_gives_the_same_bits() {
    let expected = on_one_thread();
    for threads in [1, 2, 4] {
        let shared = Arc::new(pool(threads));
        let all = thread::scope(|scope| {
            let train = || {
                let mut model = model();
                model.set_pool(Arc::clone(&shared));
                outputs(model)
            };
            [scope.spawn(train), scope.spawn(train)].map(|thread| thread.join().unwrap())
        });
        assert!(all.iter().all(|outputs| outputs == expected), "a pool of {threads}");
        // From inside the same pool.
        let mut inside = model();
        inside.set_pool(Arc::clone(&shared));
        assert_eq!(shared.install(|| outputs(inside)), expected, "inside a pool of {threads}");
    }
}

/// The squared error, which notes the threads that compute it.
#[derive(Clone, Debug, Default)]
struct Noting(Arc<Mutex<HashSet<ThreadId>>>);

impl Loss<f32> for Noting {
    fn row(&self, prediction: &[f32], target: &[f32], absorbed: bool, gradient: Option<&mut [f32]>) -> f64 {
        self.0.lock().unwrap().insert(thread::current().id());
        MeanSquaredError.row(prediction, target, absorbed, gradient)
    }
}

/// The squared error, for which the caller's thread waits until another one has computed a row.
#[derive(Clone, Debug)]
struct Waiting {
    caller: ThreadId,
    another: Arc<AtomicBool>,
    deadline: Instant,
}

impl Loss<f32> for Waiting {
    fn row(&self, prediction: &[f32], target: &[f32], absorbed: bool, gradient: Option<&mut [f32]>) -> f64 {
        if thread::current().id() != self.caller {
            self.another.store(true, Ordering::Relaxed);
        }
        while !self.another.load(Ordering::Relaxed) && Instant::now() < self.deadline {
            thread::yield_now();
        }
        MeanSquaredError.row(prediction, target, absorbed, gradient)
    }
}

#[test]
fn a_batch_of_the_default_size_feeds_two_threads() {
    let deadline = Instant::now() + Duration::from_secs(10);
    let loss = Waiting { caller: thread::current().id(), another: Arc::default(), deadline };
    let mut model = model();
    model.compile(Adam::new(0.01), loss.clone());
    model.set_threads(2).unwrap();
    let (tokens, labels) = data();
    let (tokens, labels) = (tokens.slice(s![..32, ..]).to_owned(), labels.slice(s![..32]).to_owned());
    model.train_batch(&tokens, &labels).unwrap();
    assert!(loss.another.load(Ordering::Relaxed), "the caller's thread had both halves");
}

#[test]
fn little_work_stays_on_the_callers_thread() {
    let noting = Noting::default();
    let mut model = Sequential::new().add(Dense::new(3)).add(Dense::new(1)).build(Form::vector(4), 1).unwrap();
    model.compile(Adam::new(0.01), noting.clone());
    model.set_threads(4).unwrap();
    let x = Array2::<f32>::from_shape_fn((256, 4), |(n, d)| ((n + d) as f32).sin());
    let y = Array1::<f32>::zeros(256);
    model.fit(&x, &y, Fit::new().epochs(20).batch_size(128).validation(&x, &y)).unwrap();
    assert_eq!(*noting.0.lock().unwrap(), HashSet::from([thread::current().id()]));
}

#[test]
fn what_panics_on_another_thread_panics_here_and_the_pool_goes_on() {
    #[derive(Debug)]
    struct Panicking(ThreadId);
    impl Loss<f32> for Panicking {
        fn row(&self, prediction: &[f32], _: &[f32], _: bool, _: Option<&mut [f32]>) -> f64 {
            // The caller's thread leaves shards over until another has taken one.
            if thread::current().id() == self.0 {
                thread::sleep(std::time::Duration::from_millis(10));
                return f64::from(prediction[0]);
            }
            panic!("a loss that fails");
        }
    }
    let (tokens, labels) = data();
    let shared = Arc::new(pool(2));
    let mut broken = model();
    broken.compile(Adam::new(0.01), Panicking(thread::current().id()));
    broken.set_pool(Arc::clone(&shared));
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| broken.train_batch(&tokens, &labels)));
    assert!(result.is_err());

    let mut sound = model();
    sound.set_pool(shared);
    assert_eq!(outputs(sound), on_one_thread());
}
