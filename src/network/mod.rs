//! The built layers of a model, and one shard's way through them.
//!
//! A [`Workspace`] holds everything that a pass changes: one for each shard of a batch, used again for the next batch.

mod counted;

use std::sync::Arc;

use counted::Counted;
use ndarray::{Array2, ArrayViewD, ArrayViewMutD};

use crate::activations::Activation;
use crate::error::Result;
use crate::layer::{AnyCache, AnyWeights, Backward, Carry, DynLayer, Forward, Pass};
use crate::losses::{Loss, Rows, sum_rows};
use crate::numeric::Scalar;
use crate::tensor::{Form, Mask, State, Tensor};
use crate::weights::{PairVisitor, Params, Path, WeightOptions, set_zero, zeros_like};

/// A built layer in its place.
#[derive(Debug)]
pub(crate) struct Node<F: Scalar> {
    pub(crate) name: String,
    pub(crate) trainable: bool,
    pub(crate) layer: Arc<dyn DynLayer<F>>,
    pub(crate) weights: AnyWeights<F>,
    pub(crate) output: Form,
    /// The count of its weights, which every batch asks for: see [`Network::work`].
    pub(crate) parameters: usize,
    /// The number of its first tensor among those of all layers: freezing a layer does not renumber the others'.
    pub(crate) first_tensor: usize,
    /// Those of each tensor of its weights, in order; none at all if every one is empty.
    pub(crate) weight_options: Vec<WeightOptions>,
}

/// What [`Node::weight_options`] is for this layer.
fn weight_options<F: Scalar>(layer: &dyn DynLayer<F>, weights: &AnyWeights<F>) -> Result<Vec<WeightOptions>> {
    let mut all = Vec::new();
    let mut checked = Ok(());
    weights.visit(Path::root(""), &mut |path, tensor| {
        let options = layer.weight_options(path);
        if checked.is_ok() {
            checked = options.check(path, tensor.ndim());
        }
        all.push(options);
    });
    checked?;
    let any = all.iter().any(|options| !options.is_empty());
    Ok(if any { all } else { Vec::new() })
}

impl<F: Scalar> Node<F> {
    /// A layer with its weights, whose first tensor has this number.
    pub(crate) fn new(
        name: String,
        layer: Arc<dyn DynLayer<F>>,
        weights: AnyWeights<F>,
        output: Form,
        first_tensor: usize,
    ) -> Result<Self> {
        let weight_options = weight_options(&*layer, &weights)?;
        let mut parameters = 0;
        weights.visit(Path::root(""), &mut |_, tensor| parameters += tensor.len());
        Ok(Node { name, trainable: true, layer, weights, output, parameters, first_tensor, weight_options })
    }
}

/// All layers, in order.
#[derive(Debug)]
pub(crate) struct Network<F: Scalar> {
    pub(crate) input: Form,
    pub(crate) nodes: Vec<Node<F>>,
}

/// A pass over a part of a sequence: the layers go on from the states in the workspace, and leave there those after `kept`
/// steps; of the outputs the `newest` count.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    pub(crate) kept: usize,
    pub(crate) newest: usize,
}

/// What one shard's pass changes in one layer.
#[derive(Debug, Default)]
struct LayerWorkspace<F: Scalar> {
    cache: AnyCache,
    /// Made when first needed: running a model needs none.
    gradients: Option<AnyWeights<F>>,
}

/// What one shard's pass changes.
pub(crate) struct Workspace<F: Scalar> {
    /// The input, then the output of each layer.
    pub(crate) activations: Vec<Tensor<F>>,
    /// The gradient of each of these.
    pub(crate) gradients: Vec<Tensor<F>>,
    /// Which steps of each activation count.
    pub(crate) masks: Vec<Mask>,
    /// The state of each layer, when the pass goes on from one.
    pub(crate) states: Vec<State<F>>,
    layers: Vec<LayerWorkspace<F>>,
    counted: Counted<F>,
    /// The targets, one row for each row of the output.
    pub(crate) targets: Array2<F>,
    /// The weight of each of these rows; none at all if every row weighs 1.
    pub(crate) weights: Vec<F>,
    /// The loss summed over the rows, times their weights.
    pub(crate) loss: f64,
}

impl<F: Scalar> Network<F> {
    pub(crate) fn output(&self) -> Form {
        self.nodes.last().map_or(self.input, |node| node.output)
    }

    pub(crate) fn final_activation(&self) -> Activation {
        self.nodes.last().map_or(Activation::Linear, |node| node.layer.final_activation())
    }

    pub(crate) fn workspace(&self) -> Workspace<F> {
        let tensors = self.nodes.len() + 1;
        Workspace {
            activations: vec![Tensor::default(); tensors],
            gradients: vec![Tensor::default(); tensors],
            masks: vec![Mask::default(); tensors],
            states: vec![State::default(); self.nodes.len()],
            layers: self.nodes.iter().map(|_| LayerWorkspace::default()).collect(),
            counted: Counted::default(),
            targets: Array2::default((0, 0)),
            weights: Vec::new(),
            loss: 0.0,
        }
    }

    /// Whether a workspace was made for layers like these.
    pub(crate) fn fits(&self, workspace: &Workspace<F>) -> bool {
        let fits = |(node, layer): (&Node<F>, &LayerWorkspace<F>)| layer.cache.fits(&*node.layer);
        workspace.layers.len() == self.nodes.len() && self.nodes.iter().zip(&workspace.layers).all(fits)
    }

    /// About how many multiplications a forward pass of these samples takes: each weight once for each step, but for
    /// tables, of which only rows are read.
    pub(crate) fn work(&self, steps: usize, samples: usize) -> usize {
        let mut input = self.input;
        let mut work = 0;
        for node in &self.nodes {
            let times = if matches!(input, Form::Sequence { .. }) { steps } else { 1 };
            if node.layer.vocabulary().is_none() {
                work += times * node.parameters;
            }
            input = node.output;
        }
        work.saturating_mul(samples)
    }

    /// Runs the layers on the input in the workspace. With `absorbed` the last activation is left out.
    pub(crate) fn forward(&self, workspace: &mut Workspace<F>, absorbed: bool, part: Option<Part>, pass: Pass<'_>) {
        for (number, node) in self.nodes.iter().enumerate() {
            let (before, after) = workspace.activations.split_at_mut(number + 1);
            let (masks, later_masks) = workspace.masks.split_at_mut(number + 1);
            let (x, mask) = (&before[number], &mut later_masks[0]);
            let pass = self.pass_for(number, absorbed, pass).masked(masks[number].get());
            let cache = workspace.layers[number].cache.of(&*node.layer);
            let mut forward = Forward::new(x, &mut after[0], cache, pass);
            if let Some(Part { kept, .. }) = part {
                forward = forward.state(&mut workspace.states[number]).kept(kept);
            }
            node.layer.forward(&node.weights, forward);
            mask.copy(&masks[number]);
            if matches!(node.output, Form::Sequence { .. }) {
                node.layer.output_mask(x, mask);
            } else {
                mask.clear();
            }
        }
        if let (Some(Part { newest, .. }), Tensor::Sequence(output)) = (part, workspace.output()) {
            let (steps, batch, _) = output.dim();
            if newest < steps {
                workspace.masks[self.nodes.len()].narrow(steps, batch, |step, _| step + newest >= steps);
            }
        }
    }

    /// Whether the layers can go on from one part of a sequence to the next.
    pub(crate) fn resumes(&self) -> bool {
        self.nodes.iter().all(|node| node.layer.carry() != Carry::Everything)
    }

    /// Sets the states in the workspace to those that a sequence starts from.
    pub(crate) fn start(&self, workspace: &mut Workspace<F>, batch: usize) {
        for (node, state) in self.nodes.iter().zip(&mut workspace.states) {
            if let Carry::State(widths) = node.layer.carry() {
                state.start(batch, widths);
            }
        }
    }

    /// Computes the loss of the output in the workspace, over the rows that count, and if asked for its gradient.
    pub(crate) fn measure(&self, workspace: &mut Workspace<F>, loss: &dyn Loss<F>, absorbed: bool, gradient: bool) {
        let last = self.nodes.len();
        let Workspace { activations, gradients, masks, counted, targets, weights, .. } = workspace;
        let all = Rows { predictions: activations[last].rows(), targets: targets.view(), weights };
        let doutput = &mut gradients[last];
        if gradient {
            doutput.like(&activations[last], all.predictions.ncols());
        }
        workspace.loss = match masks[last].get() {
            None => sum_rows(loss, all, absorbed, gradient.then(|| doutput.rows_mut())),
            Some(mask) => {
                counted.gather(mask, all);
                let sum = counted.sum(loss, absorbed, gradient);
                if gradient {
                    counted.scatter(mask, doutput.rows_mut());
                }
                sum
            }
        };
    }

    /// Computes the loss of the output in the workspace and the gradients of all trainable weights, and of the input if
    /// it is asked for and is not tokens.
    pub(crate) fn backward(
        &self,
        workspace: &mut Workspace<F>,
        loss: &dyn Loss<F>,
        absorbed: bool,
        input_gradient: bool,
        pass: Pass<'_>,
    ) {
        self.measure(workspace, loss, absorbed, true);
        let Workspace { activations, gradients, masks, layers, .. } = workspace;
        // Below the lowest layer that learns nothing needs a gradient.
        let input_gradient = input_gradient && !matches!(activations[0], Tensor::Tokens(_));
        let lowest = if input_gradient { Some(0) } else { self.nodes.iter().position(Node::learns) };
        let Some(lowest) = lowest else { return };
        for (number, node) in self.nodes.iter().enumerate().skip(lowest).rev() {
            let LayerWorkspace { cache, gradients: sums } = &mut layers[number];
            match sums {
                Some(sums) => set_zero(sums),
                None => *sums = Some(zeros_like(&node.weights)),
            }
            let (below, above) = gradients.split_at_mut(number + 1);
            let pass = self.pass_for(number, absorbed, pass).masked(masks[number].get());
            let (x, y) = (&activations[number], &activations[number + 1]);
            let Some(sums) = sums else { continue };
            let mut backward = Backward::new((x, y), &above[0], cache.of(&*node.layer), sums, pass);
            if number > lowest || input_gradient {
                backward = backward.dx(&mut below[number]);
            }
            node.layer.backward(&node.weights, backward);
        }
    }

    fn pass_for<'a>(&self, number: usize, absorbed: bool, pass: Pass<'a>) -> Pass<'a> {
        let mut pass = pass.for_layer(number);
        let next = self.nodes.get(number + 1);
        pass.absorbed = absorbed && next.is_none();
        pass.lookup = next.is_some_and(|node| node.layer.takes_lookups(pass));
        pass
    }

    /// Adds the gradients of one workspace to those of another, and multiplies the sums by `scale`.
    pub(crate) fn add_gradients(&self, into: &mut Workspace<F>, from: &Workspace<F>, scale: F) {
        for (number, _) in self.nodes.iter().enumerate().filter(|(_, node)| node.trainable) {
            if let (Some(into), Some(from)) = (&mut into.layers[number].gradients, &from.layers[number].gradients) {
                into.visit_pair(from, Path::root(""), &mut |_, mut sum, more| {
                    sum.zip_mut_with(&more, |sum, &more| *sum = (*sum + more) * scale);
                });
            }
        }
    }

    /// Visits the gradients of the trainable layers, with the number of each tensor.
    pub(crate) fn for_each_gradient(
        &self,
        workspace: &mut Workspace<F>,
        mut visit: impl FnMut(usize, Path<'_>, ArrayViewMutD<'_, F>),
    ) {
        for (number, node) in self.nodes.iter().enumerate().filter(|(_, node)| node.trainable) {
            let (path, mut tensor) = (Path::root(&node.name), node.first_tensor);
            node.visit_gradients(&mut workspace.layers[number], path, &mut |path, gradient, _| {
                visit(tensor, path, gradient);
                tensor += 1;
            });
        }
    }

    /// The penalties on the weights of the trainable layers.
    pub(crate) fn penalty(&self) -> f64 {
        let mut penalty = 0.0;
        for node in self.nodes.iter().filter(|node| node.has_weight_options()) {
            let mut options = node.weight_options.iter();
            node.weights.visit(Path::root(""), &mut |_, weight| {
                if let Some(regularizer) = options.next().and_then(|options| options.regularizer) {
                    penalty += regularizer.penalty(weight.as_slice().expect("weights are in standard layout"));
                }
            });
        }
        penalty
    }

    /// Adds the gradients of these penalties to those of the weights.
    pub(crate) fn add_penalty_gradients(&self, workspace: &mut Workspace<F>) {
        for (number, node) in self.nodes.iter().enumerate().filter(|(_, node)| node.has_weight_options()) {
            let mut options = node.weight_options.iter();
            let gradients = &mut workspace.layers[number];
            node.visit_gradients(gradients, Path::root(""), &mut |_, mut gradient, weight| {
                if let Some(regularizer) = options.next().and_then(|options| options.regularizer) {
                    let gradient = gradient.as_slice_mut().expect("gradients are in standard layout");
                    regularizer.add_gradient(weight.as_slice().expect("weights are in standard layout"), gradient);
                }
            });
        }
    }

    /// Brings the weights of the trainable layers back to what their constraints ask.
    pub(crate) fn constrain(&mut self) {
        for node in self.nodes.iter_mut().filter(|node| node.has_weight_options()) {
            let mut options = node.weight_options.iter();
            node.weights.visit_mut(Path::root(""), &mut |_, weight| {
                if let Some(constraint) = options.next().and_then(|options| options.constraint) {
                    constraint.apply(weight);
                }
            });
        }
    }

    /// Visits the weights of the trainable layers with their numbers, names and gradients.
    pub(crate) fn update(&mut self, workspace: &Workspace<F>, mut visit: impl FnMut(usize, Path<'_>, &mut [F], &[F])) {
        for (number, node) in self.nodes.iter_mut().enumerate().filter(|(_, node)| node.trainable) {
            let mut tensor = node.first_tensor;
            let name = Path::root(&node.name);
            let Some(gradients) = &workspace.layers[number].gradients else { continue };
            node.weights.visit_pair(gradients, name, &mut |path, mut weights, gradients| {
                let weights = weights.as_slice_mut().expect("weights are in standard layout");
                visit(tensor, path, weights, gradients.as_slice().expect("gradients are in standard layout"));
                tensor += 1;
            });
        }
    }

    /// Visits the weights of the trainable layers with their numbers.
    pub(crate) fn visit_trainable(&mut self, mut visit: impl FnMut(usize, &mut [F])) {
        for node in self.nodes.iter_mut().filter(|node| node.trainable) {
            let mut tensor = node.first_tensor;
            node.weights.visit_mut(Path::root(""), &mut |_, mut weights| {
                visit(tensor, weights.as_slice_mut().expect("weights are in standard layout"));
                tensor += 1;
            });
        }
    }

    /// Visits all weights under their full names, such as `lstm/kernel`.
    pub(crate) fn visit<'a>(&'a self, mut visit: impl FnMut(Path<'_>, ArrayViewD<'a, F>)) {
        for node in &self.nodes {
            node.weights.visit(Path::root(&node.name), &mut visit);
        }
    }

    /// Visits all weights, to be changed.
    pub(crate) fn visit_mut<'a>(&'a mut self, mut visit: impl FnMut(Path<'_>, ArrayViewMutD<'a, F>)) {
        for node in &mut self.nodes {
            node.weights.visit_mut(Path::root(&node.name), &mut visit);
        }
    }
}

impl<F: Scalar> Node<F> {
    /// Whether training changes it: it is not frozen and has weights.
    fn learns(&self) -> bool {
        self.trainable && self.parameters > 0
    }

    /// The count of its tensors.
    pub(crate) fn tensors(&self) -> usize {
        let mut count = 0;
        self.weights.visit(Path::root(""), &mut |_, _| count += 1);
        count
    }

    /// Visits each gradient with its weight, if there are gradients yet.
    fn visit_gradients<'a>(
        &'a self,
        workspace: &'a mut LayerWorkspace<F>,
        path: Path<'_>,
        visitor: PairVisitor<'_, 'a, F>,
    ) {
        if let Some(gradients) = &mut workspace.gradients {
            gradients.visit_pair(&self.weights, path, visitor);
        }
    }

    /// Whether training has more to do with its weights than to follow their gradients.
    fn has_weight_options(&self) -> bool {
        self.trainable && !self.weight_options.is_empty()
    }
}

impl<F: Scalar> Workspace<F> {
    /// Applies the last activation to the output, if the loss left it out, so that metrics see what the model puts out.
    pub(crate) fn finish_outputs(&mut self, left_out: Option<Activation>) {
        if let (Some(activation), Some(output)) = (left_out, self.activations.last_mut()) {
            activation.apply_rows(output.rows_mut());
            activation.apply_rows(self.counted.predictions.view_mut());
        }
    }

    /// The output.
    pub(crate) fn output(&self) -> &Tensor<F> {
        self.activations.last().expect("a workspace holds the input at least")
    }

    /// The outputs that count, their targets and weights.
    pub(crate) fn results(&self) -> Rows<'_, F> {
        match self.masks.last() {
            Some(mask) if mask.get().is_some() => self.counted.rows(),
            _ => Rows { predictions: self.output().rows(), targets: self.targets.view(), weights: &self.weights },
        }
    }

    /// How many rows of output count.
    pub(crate) fn rows(&self) -> usize {
        self.results().targets.nrows()
    }
}
