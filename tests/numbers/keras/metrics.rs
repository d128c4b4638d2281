//! The metrics, by themselves and in models that are trained with weights.

use std::fmt;

use bptt::data::Targets;
use bptt::metrics::{Auc, Average, F1Score, Metric, Precision, Recall};
use bptt::numeric::Scalar;
use bptt::prelude::*;
use ndarray::ArrayD;
use serde_json::Value;

use super::layers::add;
use super::{Input, compile_with, expect_number, golden, mask_of, optimizer};
use crate::goldens::{expect_close, number, numbers, tensor};

/// Any metric.
pub struct AnyMetric<F>(Box<dyn Metric<F>>);

impl<F> fmt::Debug for AnyMetric<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnyMetric")
    }
}

impl<F: Scalar> Metric<F> for AnyMetric<F> {
    fn name(&self) -> &str {
        self.0.name()
    }
    fn counters(&self, outputs: usize) -> usize {
        self.0.counters(outputs)
    }
    fn check(&self, outputs: usize, targets: usize) -> Result<(), String> {
        self.0.check(outputs, targets)
    }
    fn update(&self, counters: &mut [f64], prediction: &[F], target: &[F], weight: f64) {
        self.0.update(counters, prediction, target, weight);
    }
    fn result(&self, counters: &[f64]) -> f64 {
        self.0.result(counters)
    }
}

/// The metric of these options of Keras'.
fn metric<F: Scalar>(options: &Value) -> AnyMetric<F> {
    let text = |key: &str| options[key].as_str().unwrap_or_default();
    let threshold = |key: &str| options[key].as_f64();
    let k = || options["k"].as_u64().unwrap() as usize;
    let mean = |metric: MeanMetric<F>| -> Box<dyn Metric<F>> { Box::new(metric) };
    AnyMetric(match text("class") {
        "BinaryAccuracy" => mean(MeanMetric::binary_accuracy_at(threshold("threshold").unwrap_or(0.5))),
        "CategoricalAccuracy" => mean(MeanMetric::categorical_accuracy()),
        "SparseCategoricalAccuracy" => mean(MeanMetric::sparse_categorical_accuracy()),
        "TopKCategoricalAccuracy" => mean(MeanMetric::top_k_categorical_accuracy(k())),
        "SparseTopKCategoricalAccuracy" => mean(MeanMetric::sparse_top_k_categorical_accuracy(k())),
        "MeanAbsoluteError" => mean(MeanMetric::mean_absolute_error()),
        "MeanSquaredError" => mean(MeanMetric::mean_squared_error()),
        "RootMeanSquaredError" => mean(MeanMetric::root_mean_squared_error()),
        "Perplexity" => mean(MeanMetric::perplexity()),
        "Precision" => Box::new(Precision::new().threshold(threshold("thresholds").unwrap_or(0.5))),
        "Recall" => Box::new(Recall::new().threshold(threshold("thresholds").unwrap_or(0.5))),
        "F1Score" => {
            let average = match text("average") {
                "macro" => Average::Macro,
                "micro" => Average::Micro,
                "weighted" => Average::Weighted,
                other => panic!("no average for {other}"),
            };
            let metric = F1Score::new().average(average);
            Box::new(threshold("threshold").into_iter().fold(metric, F1Score::threshold))
        }
        "AUC" if text("curve") == "PR" => Box::new(Auc::pr()),
        "AUC" => Box::new(Auc::roc()),
        other => panic!("no metric for {other}"),
    })
}

/// Feeds the batches of a case row by row, whatever the axes before, and compares the result after each.
fn run_metric<F: Scalar>(case: &Value, tolerance: f64) {
    let metric = metric::<F>(&case["metric"]);
    let rows_of = |values: ArrayD<f64>, rows: usize| -> Vec<Vec<F>> {
        let width = values.len() / rows;
        values.mapv(F::of).into_raw_vec_and_offset().0.chunks(width).map(<[F]>::to_vec).collect()
    };
    let mut counters = Vec::new();
    for batch in case["batches"].as_array().unwrap() {
        let predictions = tensor(&batch["y_pred"]);
        let outputs = *predictions.shape().last().unwrap();
        let rows = predictions.len() / outputs;
        let targets = rows_of(tensor(&batch["y_true"]), rows);
        metric.check(outputs, targets[0].len()).unwrap();
        counters.resize(metric.counters(outputs), 0.0);
        let weights = match batch["sample_weight"].is_object() {
            true => tensor(&batch["sample_weight"]).into_raw_vec_and_offset().0,
            false => vec![1.0; rows],
        };
        for ((prediction, target), weight) in rows_of(predictions, rows).iter().zip(&targets).zip(weights) {
            metric.update(&mut counters, prediction, target, weight);
        }
        expect_number(metric.result(&counters), number(&batch["result"]), tolerance, &case["name"].to_string());
    }
}

#[test]
fn metrics() {
    let golden = golden("metrics");
    let cases = golden["cases"].as_array().unwrap();
    for case in cases {
        run_metric::<f64>(case, 1e-9);
        run_metric::<f32>(case, 1e-5);
    }
    println!("metrics: {} cases in f64 and f32", cases.len());
}

fn run_training<F: Scalar>(case: &Value, tolerance: f64) {
    let name = case["name"].as_str().unwrap();
    let input = Input::<F>::new(&case["input"]);
    let stack = case["layers"].as_array().unwrap().iter().fold(Sequential::<F>::default(), add);
    let mut model: Model<F> = stack.build(input.form(), 1).unwrap();
    for (weight, value) in case["weights"].as_object().unwrap() {
        model.set_weight(weight, &tensor(value).mapv(F::of)).unwrap();
    }
    let compiled = compile_with(&mut model, optimizer(&case["optimizer"]), &case["loss"]);
    for options in case["metrics"].as_array().unwrap() {
        compiled.metric(metric(options));
    }
    for options in case["weighted_metrics"].as_array().unwrap() {
        compiled.weighted_metric(metric(options));
    }
    let mask = mask_of(case);
    let samples = mask.as_ref().map_or(input.samples(), |mask| (input.samples(), mask).into());
    let target = tensor(&case["target"]);
    let weights = case["sample_weight"].is_object().then(|| tensor(&case["sample_weight"]));
    let targets = || weights.as_ref().map_or(Targets::from(&target), |weights| (&target, weights).into());
    let classes = case["class_weight"].as_object().into_iter().flatten();
    let classes = classes.map(|(class, weight)| (class.parse().unwrap(), number(weight)));
    let history = case["history"].as_object().unwrap();
    let fit = Fit::new().epochs(history["loss"].as_array().unwrap().len()).shuffle(false);
    let fit = fit.batch_size(case["batch_size"].as_u64().unwrap() as usize).class_weight(classes);
    let got = model.fit(samples, targets(), fit.validation(samples, targets())).unwrap();
    for (figure, golden) in history {
        for (epoch, (got, golden)) in got.get(figure).into_iter().zip(numbers(golden)).enumerate() {
            expect_number(got, golden, tolerance, &format!("{name}: {figure} of epoch {epoch}"));
        }
    }
    if mask.is_none() {
        assert_eq!(got.names().len(), history.len(), "{name}: {:?}", got.names());
    }
    for (weight, golden) in case["final_weights"].as_object().unwrap() {
        expect_close(&model.weight(weight).unwrap(), &tensor(golden), tolerance, &format!("{name}: {weight}"));
    }
}

#[test]
fn weighting() {
    let golden = golden("weighting");
    let cases = golden["cases"].as_array().unwrap();
    for case in cases {
        run_training::<f64>(case, 1e-9);
        run_training::<f32>(case, 1e-5);
    }
    println!("weighting: {} cases in f64 and f32", cases.len());
}
