//! Matrix products for a few rows at a time, as recurrent layers need them.
//!
//! ```text
//! C ← S + A·B    rows of A by weights B that are packed once and used for every step      (B, K)·(K, N)
//! C ← C + Aᵀ·D   the gradient of weights: a sum over all rows of all steps                (R, K)ᵀ·(R, N)
//! C ← C + A·B    one or two rows by weights as they are, for streaming
//! ```
//!
//! All three keep a tile of C in registers, up to 8 rows by 3 vectors, and go once through the sum: for each k a vector
//! row of B is loaded and multiplied by one number of each row of A. A batch of 32 rows uses each weight 32 times, so
//! weights may come from the second-level cache, or even from memory, without slowing it down; that is why nothing is
//! blocked over K. Measured on Zen 4 with AVX-512, one core: 104 to 112 GFLOP/s for 32 rows and H from 128 to 512, where
//! general libraries reached 67 to 109 because they pack the weights anew at every step.
//!
//! *Packed* means cut into panels of a tile's columns, each panel stored row after row, the last padded with zeros. A matrix
//! that is no wider than a panel is one as it stands.
//!
//! Every sum runs over k in order, so the bits do not depend on how rows were cut.
//!
//! Arrays are filled by loops here, not by `array::from_fn` or `map`: those are calls that the compiler does not always
//! inline, and then they are compiled without the vectors.

use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2};

use crate::lane::{Kernel, Vector};
use crate::scalar::Scalar;

/// Vectors in a tile's row.
const TILE_VECTORS: usize = 3;
/// Rows of A and D whose products are summed in one go: as many as stay in the second-level cache once packed.
const DEPTH: usize = 1024;
/// Up to this many rows are multiplied by the weights as they are: packing would cost more than it saves.
pub(crate) const FEW: usize = 3;

/// Rows of numbers at equal distances: a matrix, or some of its columns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows<'a, F> {
    data: &'a [F],
    stride: usize,
    width: usize,
}

impl<'a, F: Copy> Rows<'a, F> {
    /// A matrix in one piece, `width` numbers a row.
    pub(crate) fn new(data: &'a [F], width: usize) -> Self {
        Rows { data, stride: width, width }
    }

    /// These columns of the matrix.
    pub(crate) fn columns(self, from: usize, to: usize) -> Self {
        Rows { data: self.data.get(from..).unwrap_or_default(), stride: self.stride, width: to - from }
    }

    /// These rows of the matrix.
    fn rows(self, from: usize, to: usize) -> Self {
        let end = self.data.len().min(to * self.stride);
        Rows { data: &self.data[from * self.stride..end], ..self }
    }

    /// How many rows there are.
    pub(crate) fn count(self) -> usize {
        (self.data.len() + self.stride - self.width) / self.stride
    }

    #[inline(always)]
    fn row(self, row: usize) -> &'a [F] {
        &self.data[row * self.stride..][..self.width]
    }
}

/// The same, to be written.
#[derive(Debug)]
pub(crate) struct RowsMut<'a, F> {
    data: &'a mut [F],
    stride: usize,
    width: usize,
}

impl<'a, F> RowsMut<'a, F> {
    /// A matrix in one piece, `width` numbers a row.
    pub(crate) fn new(data: &'a mut [F], width: usize) -> Self {
        RowsMut { data, stride: width, width }
    }

    /// These columns of the matrix.
    pub(crate) fn columns(self, from: usize, to: usize) -> Self {
        RowsMut { data: self.data.get_mut(from..).unwrap_or_default(), stride: self.stride, width: to - from }
    }

    fn reborrow(&mut self) -> RowsMut<'_, F> {
        RowsMut { data: self.data, stride: self.stride, width: self.width }
    }
}

/// What a product is added to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Start<'a, F> {
    /// Nothing: C is written over.
    Zero,
    /// The same row for each row of C, such as a bias.
    Row(&'a [F]),
    /// For each row of C the row of a table with this number.
    Lookup(Rows<'a, F>, &'a [u32]),
    /// What is in C.
    Sum,
}

impl<'a, F: Copy> Start<'a, F> {
    /// The start of columns of C.
    #[inline(always)]
    fn columns(self, from: usize, to: usize) -> Self {
        match self {
            Start::Row(row) => Start::Row(&row[from..to]),
            Start::Lookup(table, numbers) => Start::Lookup(table.columns(from, to), numbers),
            start => start,
        }
    }

    /// The start of a row of C, whose present content is `row`.
    #[inline(always)]
    fn row<'b>(self, number: usize, row: &'b [F]) -> &'b [F]
    where
        'a: 'b,
    {
        match self {
            Start::Row(row) => row,
            Start::Lookup(table, numbers) => table.row(numbers[number] as usize),
            Start::Zero | Start::Sum => row,
        }
    }
}

/// Weights B (K, N) as [`product`] takes them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Factor<'a, F> {
    /// In panels.
    Packed(&'a Packed<F>),
    /// As they are, for few rows.
    Plain(Rows<'a, F>),
}

/// Room for packed weights, that is used again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Packed<F> {
    panels: Vec<F>,
    columns: usize,
}

impl<F: Scalar> Packed<F> {
    /// B for products with this many rows: packed if that is worth it.
    pub(crate) fn factor<'a>(&'a mut self, b: Rows<'a, F>, rows: usize) -> Factor<'a, F> {
        if rows <= FEW {
            return Factor::Plain(b);
        }
        self.columns = b.width;
        F::vectorize(b.width, Pack { b, transposed: false, panels: &mut self.panels });
        Factor::Packed(self)
    }

    /// The transpose of B.
    pub(crate) fn transposed<'a>(&'a mut self, b: Rows<'_, F>) -> Factor<'a, F> {
        self.columns = b.count();
        F::vectorize(self.columns, Pack { b, transposed: true, panels: &mut self.panels });
        Factor::Packed(self)
    }
}

struct Pack<'a, F> {
    b: Rows<'a, F>,
    transposed: bool,
    panels: &'a mut Vec<F>,
}

impl<F: Scalar> Kernel<F> for Pack<'_, F> {
    #[inline(always)]
    fn run<V: Vector<Scalar = F>>(self, _: V::Token) {
        let Pack { b, transposed, panels } = self;
        let (depth, columns) = if transposed { (b.width, b.count()) } else { (b.count(), b.width) };
        panels.clear();
        panels.resize(depth * columns.next_multiple_of(V::WIDTH), F::zero());
        let mut panels = &mut panels[..];
        for (from, to) in panels_of::<V>(columns) {
            let width = (to - from).next_multiple_of(V::WIDTH);
            let (panel, rest) = panels.split_at_mut(depth * width);
            panels = rest;
            if transposed {
                for (index, column) in (from..to).enumerate() {
                    panel[index..].iter_mut().step_by(width).zip(b.row(column)).for_each(|(to, &from)| *to = from);
                }
            } else {
                for (row, panel) in panel.chunks_exact_mut(width).enumerate() {
                    panel[..to - from].copy_from_slice(&b.row(row)[from..to]);
                }
            }
        }
    }
}

/// The first and the last column, not included, of each panel.
#[inline(always)]
fn panels_of<V: Vector>(columns: usize) -> impl Iterator<Item = (usize, usize)> {
    let width = TILE_VECTORS * V::WIDTH;
    (0..columns).step_by(width).map(move |from| (from, columns.min(from + width)))
}

/// C ← start + A·B.
pub(crate) fn product<F: Scalar>(a: Rows<'_, F>, b: Factor<'_, F>, start: Start<'_, F>, mut c: RowsMut<'_, F>) {
    match b {
        Factor::Packed(b) => F::vectorize(b.columns, Product { a, b: &b.panels, start, c }),
        Factor::Plain(b) => {
            write(start, c.reborrow());
            F::vectorize(b.width, RowsProduct { a, b, c });
        }
    }
}

/// C ← start.
pub(crate) fn write<F: Scalar>(start: Start<'_, F>, c: RowsMut<'_, F>) {
    if c.width == 0 {
        return;
    }
    for (number, row) in c.data.chunks_mut(c.stride).enumerate() {
        // The last row of columns ends with them; what is shorter is the rest of a row after its columns.
        let Some(row) = row.get_mut(..c.width) else { return };
        match start {
            Start::Sum => return,
            Start::Zero => row.fill(F::zero()),
            Start::Row(from) => row.copy_from_slice(from),
            Start::Lookup(table, numbers) => row.copy_from_slice(table.row(numbers[number] as usize)),
        }
    }
}

struct Product<'a, F> {
    a: Rows<'a, F>,
    b: &'a [F],
    start: Start<'a, F>,
    c: RowsMut<'a, F>,
}

impl<F: Scalar> Kernel<F> for Product<'_, F> {
    #[inline(always)]
    fn run<V: Vector<Scalar = F>>(self, token: V::Token) {
        let Product { a, b, start, c } = self;
        let (rows, depth, columns) = (a.count(), a.width, c.width);
        let mut panels = b;
        for (from, to) in panels_of::<V>(columns) {
            let vectors = (to - from).div_ceil(V::WIDTH);
            let (panel, rest) = panels.split_at(depth * vectors * V::WIDTH);
            panels = rest;
            let start = start.columns(from, to);
            let mut row = 0;
            while row < rows {
                let start = match start {
                    Start::Lookup(table, numbers) => Start::Lookup(table, &numbers[row..]),
                    start => start,
                };
                let c = RowsMut { data: &mut c.data[row * c.stride + from..], stride: c.stride, width: to - from };
                row += match rows - row {
                    8.. if V::many_registers(token) => tiles::<V, _, 8>(token, ByRow::of(a, row), panel, start, c),
                    4.. => tiles::<V, _, 4>(token, ByRow::of(a, row), panel, start, c),
                    _ => tiles::<V, _, 1>(token, ByRow::of(a, row), panel, start, c),
                };
            }
        }
    }
}

/// Where a tile's numbers of A come from: M of them for each k.
trait Left<F, const M: usize>: Copy {
    fn depth(self) -> usize;
    fn at(self, k: usize) -> [F; M];
}

/// M rows of A, for A·B.
#[derive(Clone, Copy)]
struct ByRow<'a, F, const M: usize>([&'a [F]; M]);

impl<'a, F: Copy, const M: usize> ByRow<'a, F, M> {
    #[inline(always)]
    fn of(a: Rows<'a, F>, first: usize) -> Self {
        let mut rows = [a.row(first); M];
        for (row, slice) in rows.iter_mut().enumerate() {
            *slice = a.row(first + row);
        }
        ByRow(rows)
    }
}

impl<F: Copy, const M: usize> Left<F, M> for ByRow<'_, F, M> {
    #[inline(always)]
    fn depth(self) -> usize {
        self.0[0].len()
    }
    #[inline(always)]
    fn at(self, k: usize) -> [F; M] {
        let mut numbers = [self.0[0][k]; M];
        for (number, row) in numbers.iter_mut().zip(self.0) {
            *number = row[k];
        }
        numbers
    }
}

/// M columns of A, for Aᵀ·D.
#[derive(Clone, Copy)]
struct ByColumn<'a, F, const M: usize>(Rows<'a, F>);

impl<F: Copy, const M: usize> Left<F, M> for ByColumn<'_, F, M> {
    #[inline(always)]
    fn depth(self) -> usize {
        self.0.count()
    }
    #[inline(always)]
    fn at(self, k: usize) -> [F; M] {
        let row = &self.0.data[k * self.0.stride..][..M];
        let mut numbers = [row[0]; M];
        numbers.copy_from_slice(row);
        numbers
    }
}

/// One tile of C, as many vectors wide as the panel is. Returns its rows.
#[inline(always)]
fn tiles<V: Vector, L: Left<V::Scalar, M>, const M: usize>(
    token: V::Token,
    left: L,
    panel: &[V::Scalar],
    start: Start<'_, V::Scalar>,
    c: RowsMut<'_, V::Scalar>,
) -> usize {
    match c.width.div_ceil(V::WIDTH) {
        TILE_VECTORS => tile::<V, L, M, TILE_VECTORS>(token, left, panel, start, c),
        2 => tile::<V, L, M, 2>(token, left, panel, start, c),
        _ => tile::<V, L, M, 1>(token, left, panel, start, c),
    }
    M
}

/// A tile of M rows by N vectors.
#[inline(always)]
fn tile<V: Vector, L: Left<V::Scalar, M>, const M: usize, const N: usize>(
    token: V::Token,
    left: L,
    panel: &[V::Scalar],
    start: Start<'_, V::Scalar>,
    c: RowsMut<'_, V::Scalar>,
) {
    // A tile at the right edge may be narrower than its vectors. Only whole ones are worth unrolled loads and stores.
    let whole = c.width == N * V::WIDTH;
    let part = |vector: usize| (vector * V::WIDTH).min(c.width)..((vector + 1) * V::WIDTH).min(c.width);
    let mut sums = [[V::broadcast(token, <V::Scalar as num_traits::Zero>::zero()); N]; M];
    match start {
        Start::Zero => {}
        start if whole => {
            for (row, sums) in sums.iter_mut().enumerate() {
                let from = &start.row(row, &c.data[row * c.stride..])[..N * V::WIDTH];
                for (vector, sum) in sums.iter_mut().enumerate() {
                    *sum = V::load(token, &from[vector * V::WIDTH..][..V::WIDTH]);
                }
            }
        }
        start => {
            // A copy, here and below, so that indexing it by a variable does not keep the sums in memory.
            let mut edge = sums;
            for (row, sums) in edge.iter_mut().enumerate() {
                let from = start.row(row, &c.data[row * c.stride..]);
                for (vector, sum) in sums.iter_mut().enumerate() {
                    *sum = V::load(token, &from[part(vector)]);
                }
            }
            sums = edge;
        }
    }
    let panel = &panel[..left.depth() * N * V::WIDTH];
    for (k, row) in panel.chunks_exact(N * V::WIDTH).enumerate() {
        let mut right = sums[0];
        for (vector, right) in right.iter_mut().enumerate() {
            *right = V::load(token, &row[vector * V::WIDTH..][..V::WIDTH]);
        }
        for (sums, factor) in sums.iter_mut().zip(left.at(k)) {
            let factor = V::broadcast(token, factor);
            for (sum, right) in sums.iter_mut().zip(right) {
                *sum = factor.mul_add(right, *sum);
            }
        }
    }
    if whole {
        for (row, sums) in sums.iter().enumerate() {
            let row = &mut c.data[row * c.stride..][..N * V::WIDTH];
            for (vector, sum) in sums.iter().enumerate() {
                sum.store(&mut row[vector * V::WIDTH..][..V::WIDTH]);
            }
        }
    } else {
        let edge = sums;
        for (row, sums) in edge.iter().enumerate() {
            for (vector, sum) in sums.iter().enumerate() {
                sum.store(&mut c.data[row * c.stride..][part(vector)]);
            }
        }
    }
}

/// C ← C + A·B for B as it is: each row of A goes once through all of B.
struct RowsProduct<'a, F> {
    a: Rows<'a, F>,
    b: Rows<'a, F>,
    c: RowsMut<'a, F>,
}

impl<F: Scalar> Kernel<F> for RowsProduct<'_, F> {
    #[inline(always)]
    fn run<V: Vector<Scalar = F>>(self, token: V::Token) {
        add_rows::<V>(token, self.a, self.b, self.c);
    }
}

/// C ← C + A·B for B as it is, inside a kernel.
#[inline(always)]
pub(crate) fn add_rows<V: Vector>(
    token: V::Token,
    a: Rows<'_, V::Scalar>,
    b: Rows<'_, V::Scalar>,
    c: RowsMut<'_, V::Scalar>,
) {
    for row in 0..a.count() {
        let (a, c) = (a.row(row), &mut c.data[row * c.stride..][..c.width]);
        let mut k = 0;
        while k < a.len() {
            k += match a.len() - k {
                4.. => add_multiples::<V, 4>(token, &a[k..], b, k, c),
                _ => add_multiples::<V, 1>(token, &a[k..], b, k, c),
            };
        }
    }
}

/// Adds M rows of B, from row k on, each times its factor. Returns their number. M is small, for each row is a stream from
/// memory: with 4 of them a 2 MB matrix came at 85 GB/s on Zen 4, with 1 at 64, with 16 at 29.
#[inline(always)]
fn add_multiples<V: Vector, const M: usize>(
    token: V::Token,
    factors: &[V::Scalar],
    b: Rows<'_, V::Scalar>,
    k: usize,
    c: &mut [V::Scalar],
) -> usize {
    let mut factor = [V::broadcast(token, factors[0]); M];
    let mut rows = [&b.row(k)[..c.len()]; M];
    for row in 1..M {
        factor[row] = V::broadcast(token, factors[row]);
        rows[row] = &b.row(k + row)[..c.len()];
    }
    let whole = c.len() - c.len() % V::WIDTH;
    for from in (0..whole).step_by(V::WIDTH) {
        let mut sum = V::load(token, &c[from..][..V::WIDTH]);
        for (factor, row) in factor.iter().zip(rows) {
            sum = factor.mul_add(V::load(token, &row[from..][..V::WIDTH]), sum);
        }
        sum.store(&mut c[from..][..V::WIDTH]);
    }
    if whole < c.len() {
        let mut sum = V::load(token, &c[whole..]);
        for (factor, row) in factor.iter().zip(rows) {
            sum = factor.mul_add(V::load(token, &row[whole..]), sum);
        }
        sum.store(&mut c[whole..]);
    }
    M
}

/// Adds each row of D to the row of a table with its number.
pub(crate) fn add_to_rows<F: Scalar>(d: Rows<'_, F>, numbers: &[u32], table: &mut [F]) {
    F::vectorize(d.width, AddToRows { d, numbers, table });
}

struct AddToRows<'a, F> {
    d: Rows<'a, F>,
    numbers: &'a [u32],
    table: &'a mut [F],
}

impl<F: Scalar> Kernel<F> for AddToRows<'_, F> {
    #[inline(always)]
    fn run<V: Vector<Scalar = F>>(self, token: V::Token) {
        let AddToRows { d, numbers, table } = self;
        for (row, &number) in numbers.iter().enumerate() {
            let sums = &mut table[number as usize * d.width..][..d.width];
            for (sums, d) in sums.chunks_mut(V::WIDTH).zip(d.row(row).chunks(V::WIDTH)) {
                (V::load(token, sums) + V::load(token, d)).store(sums);
            }
        }
    }
}

/// Adds all rows of D to `sums`.
pub(crate) fn add_row_sums<F: Scalar>(d: Rows<'_, F>, sums: &mut [F]) {
    if !sums.is_empty() {
        F::vectorize(sums.len(), RowSums { d, sums });
    }
}

struct RowSums<'a, F> {
    d: Rows<'a, F>,
    sums: &'a mut [F],
}

impl<F: Scalar> Kernel<F> for RowSums<'_, F> {
    #[inline(always)]
    fn run<V: Vector<Scalar = F>>(self, token: V::Token) {
        let RowSums { d, sums } = self;
        for (index, sums) in sums.chunks_mut(V::WIDTH).enumerate() {
            let from = index * V::WIDTH;
            let mut sum = V::load(token, sums);
            for row in 0..d.count() {
                sum = sum + V::load(token, &d.row(row)[from..from + sums.len()]);
            }
            sum.store(sums);
        }
    }
}

/// Room for [`add_transposed_product`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Room<F> {
    left: Vec<F>,
    right: Vec<F>,
}

/// C ← C + Aᵀ·D, with C (K, N) in one piece.
pub(crate) fn add_transposed_product<F: Scalar>(a: Rows<'_, F>, d: Rows<'_, F>, c: RowsMut<'_, F>, room: &mut Room<F>) {
    F::vectorize(d.width, TransposedProduct { a, d, c, room });
}

struct TransposedProduct<'a, F> {
    a: Rows<'a, F>,
    d: Rows<'a, F>,
    c: RowsMut<'a, F>,
    room: &'a mut Room<F>,
}

/// Columns of A in a tile of Aᵀ·D.
const TILE_ROWS: usize = 8;
/// Up to this width the rows of A are read as they are; a tile's columns of wider ones are packed to lie together.
const WIDE: usize = 64;

impl<F: Scalar> Kernel<F> for TransposedProduct<'_, F> {
    #[inline(always)]
    fn run<V: Vector<Scalar = F>>(self, token: V::Token) {
        let TransposedProduct { a, d, c, room } = self;
        let all = a.count();
        for first in (0..all).step_by(DEPTH) {
            let rows = DEPTH.min(all - first);
            let (a, d) = (a.rows(first, first + rows), d.rows(first, first + rows));
            let packed = a.width > WIDE;
            if packed {
                pack_columns(a, rows, &mut room.left);
            }
            for (from, to) in panels_of::<V>(d.width) {
                let width = (to - from).next_multiple_of(V::WIDTH);
                let panel = if d.stride == width && from == 0 {
                    d.data
                } else {
                    pack_panel(d.columns(from, to), rows, width, &mut room.right);
                    &room.right
                };
                let mut column = 0;
                while column < a.width {
                    let c =
                        RowsMut { data: &mut c.data[column * c.stride + from..], stride: c.stride, width: to - from };
                    column += match a.width - column {
                        TILE_ROWS.. => {
                            let left = if packed {
                                Rows::new(&room.left[column * rows..][..TILE_ROWS * rows], TILE_ROWS)
                            } else {
                                a.columns(column, column + TILE_ROWS)
                            };
                            if V::many_registers(token) {
                                tiles::<V, _, TILE_ROWS>(token, ByColumn(left), panel, Start::Sum, c)
                            } else {
                                let half = TILE_ROWS / 2;
                                let mut c = c;
                                tiles::<V, _, 4>(
                                    token,
                                    ByColumn(left.columns(0, half)),
                                    panel,
                                    Start::Sum,
                                    c.reborrow(),
                                );
                                let c = RowsMut { data: &mut c.data[half * c.stride..], ..c };
                                half + tiles::<V, _, 4>(
                                    token,
                                    ByColumn(left.columns(half, TILE_ROWS)),
                                    panel,
                                    Start::Sum,
                                    c,
                                )
                            }
                        }
                        4.. => tiles::<V, _, 4>(token, ByColumn(a.columns(column, column + 4)), panel, Start::Sum, c),
                        _ => tiles::<V, _, 1>(token, ByColumn(a.columns(column, column + 1)), panel, Start::Sum, c),
                    };
                }
            }
        }
    }
}

/// Lays each 8 columns of A together, row after row; what is left over at the end stays where it is.
#[inline(always)]
fn pack_columns<F: Scalar>(a: Rows<'_, F>, rows: usize, packed: &mut Vec<F>) {
    packed.resize(rows * a.width, F::zero());
    for (block, packed) in packed.chunks_exact_mut(TILE_ROWS * rows).enumerate() {
        for (row, to) in packed.chunks_exact_mut(TILE_ROWS).enumerate() {
            to.copy_from_slice(&a.row(row)[block * TILE_ROWS..][..TILE_ROWS]);
        }
    }
}

/// Lays the rows of a panel of D together, padded to whole vectors.
#[inline(always)]
fn pack_panel<F: Scalar>(d: Rows<'_, F>, rows: usize, width: usize, packed: &mut Vec<F>) {
    packed.resize(rows * width, F::zero());
    for (row, to) in packed.chunks_exact_mut(width).enumerate() {
        let (values, padding) = to.split_at_mut(d.width);
        values.copy_from_slice(d.row(row));
        padding.fill(F::zero());
    }
}

/// Writes A·B over `c`, by ndarray: for what is not worth a kernel, and for the reference path.
pub(crate) fn plain_product<F: Scalar>(a: ArrayView2<'_, F>, b: ArrayView2<'_, F>, mut c: ArrayViewMut2<'_, F>) {
    general_mat_mul(F::one(), &a, &b, F::zero(), &mut c);
}

/// Adds A·B to `c`, by ndarray.
pub(crate) fn add_plain_product<F: Scalar>(a: ArrayView2<'_, F>, b: ArrayView2<'_, F>, mut c: ArrayViewMut2<'_, F>) {
    general_mat_mul(F::one(), &a, &b, F::one(), &mut c);
}
