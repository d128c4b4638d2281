//! Loops over rows: products of few rows with weights that are not packed, element-wise products, and sums of rows.

use super::{Rows, RowsMut, Start};
use crate::numeric::Scalar;
use crate::numeric::{Kernel, Vector};

/// C ← C + A·B for B that is not packed: each row of A goes once through all of B.
pub(super) struct RowsProduct<'a, F> {
    pub(super) a: Rows<'a, F>,
    pub(super) b: Rows<'a, F>,
    pub(super) c: RowsMut<'a, F>,
}

impl<F: Scalar> Kernel<F> for RowsProduct<'_, F> {
    #[inline(always)]
    fn run<V: Vector<Scalar = F>>(&mut self, token: V::Token) {
        add_rows::<V>(token, self.a, self.b, self.c.reborrow());
    }
}

/// C ← C + A·B for B as it is, inside a kernel.
#[inline(always)]
pub(crate) fn add_rows<V: Vector>(
    token: V::Token,
    a: Rows<'_, V::Scalar>,
    b: Rows<'_, V::Scalar>,
    mut c: RowsMut<'_, V::Scalar>,
) {
    let whole = c.width - c.width % V::WIDTH;
    for row in 0..a.count() {
        let (a, c) = (a.row(row), c.row_mut(row));
        let (c, edge) = c.split_at_mut(whole);
        let mut k = 0;
        while k < a.len() && whole > 0 {
            k += match a.len() - k {
                4.. => add_multiples::<V, 4>(token, &a[k..], b, k, c),
                _ => add_multiples::<V, 1>(token, &a[k..], b, k, c),
            };
        }
        if !edge.is_empty() {
            let mut sum = edge_of::<V>(token, edge, edge.len());
            for (k, &factor) in a.iter().enumerate() {
                let b = edge_of::<V>(token, &b.data[k * b.stride + whole..], edge.len());
                sum = V::broadcast(token, factor).mul_add(b, sum);
            }
            sum.store(edge);
        }
    }
}

/// The numbers of a row that fill no vector, `count` of them, and whatever is behind them: all rows of B but the last have
/// numbers enough there. Of a single column many have not, and to fill a vector up takes longer than one number for all
/// places.
#[inline(always)]
fn edge_of<V: Vector>(token: V::Token, from: &[V::Scalar], count: usize) -> V {
    if count == 1 { V::broadcast(token, from[0]) } else { V::load(token, from) }
}

/// Adds M rows of B, from row k on, each times its factor, to whole vectors of C, and returns their number. M is small,
/// because memory serves only a few streams at full speed.
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
    for from in (0..c.len()).step_by(V::WIDTH) {
        let mut sum = V::load(token, &c[from..][..V::WIDTH]);
        for (factor, row) in factor.iter().zip(rows) {
            sum = factor.mul_add(V::load(token, &row[from..][..V::WIDTH]), sum);
        }
        sum.store(&mut c[from..][..V::WIDTH]);
    }
    M
}

/// C ← start + A∘B, element by element; the start is zero or what is in C.
pub(crate) fn multiply_elements<F: Scalar>(a: Rows<'_, F>, b: Rows<'_, F>, start: Start<'_, F>, c: RowsMut<'_, F>) {
    let adds = matches!(start, Start::Sum);
    if c.data.is_empty() {
        return;
    }
    // Rows without gaps are one, however short they are.
    if [a.stride, b.stride, c.stride] == [a.width; 3] {
        let width = c.data.len();
        let (a, b, c) = (Rows::new(a.data, width), Rows::new(b.data, width), RowsMut::new(c.data, width));
        return F::vectorize(width, Elements { a, b, adds, c });
    }
    F::vectorize(a.width, Elements { a, b, adds, c });
}

struct Elements<'a, F> {
    a: Rows<'a, F>,
    b: Rows<'a, F>,
    adds: bool,
    c: RowsMut<'a, F>,
}

impl<F: Scalar> Kernel<F> for Elements<'_, F> {
    #[inline(always)]
    fn run<V: Vector<Scalar = F>>(&mut self, token: V::Token) {
        let Elements { a, b, adds, ref mut c } = *self;
        for row in 0..a.count() {
            change_row::<V, _>(
                token,
                [a.row(row), b.row(row)],
                c.row_mut(row),
                #[inline(always)]
                |[a, b], c| a.mul_add(b, if adds { c } else { c.splat(0.0) }),
            );
        }
    }
}

/// Replaces the numbers c of a row by a function of those of other rows and of c.
#[inline(always)]
pub(crate) fn change_row<V: Vector, const N: usize>(
    token: V::Token,
    mut others: [&[V::Scalar]; N],
    c: &mut [V::Scalar],
    function: impl Fn([V; N], V) -> V,
) {
    for other in &mut others {
        *other = &other[..c.len()];
    }
    let whole = c.len() - c.len() % V::WIDTH;
    for from in (0..whole).step_by(V::WIDTH) {
        change_vector(token, others, c, from, V::WIDTH, &function);
    }
    if whole < c.len() {
        change_vector(token, others, c, whole, c.len() - whole, &function);
    }
}

/// Changes one vector of a row, or a part of one.
#[inline(always)]
fn change_vector<V: Vector, const N: usize>(
    token: V::Token,
    others: [&[V::Scalar]; N],
    c: &mut [V::Scalar],
    from: usize,
    width: usize,
    function: &impl Fn([V; N], V) -> V,
) {
    let c = &mut c[from..][..width];
    let present = V::load(token, c);
    let mut vectors = [present; N];
    for (vector, other) in vectors.iter_mut().zip(others) {
        *vector = V::load(token, &other[from..][..width]);
    }
    function(vectors, present).store(c);
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
    fn run<V: Vector<Scalar = F>>(&mut self, token: V::Token) {
        let AddToRows { d, numbers, ref mut table } = *self;
        for (row, &number) in numbers.iter().enumerate() {
            let sums = &mut table[number as usize * d.width..][..d.width];
            change_row::<V, _>(
                token,
                [d.row(row)],
                sums,
                #[inline(always)]
                |[d], sum| sum + d,
            );
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
    fn run<V: Vector<Scalar = F>>(&mut self, token: V::Token) {
        let RowSums { d, ref mut sums } = *self;
        let mut from = 0;
        while from < sums.len() {
            from += match sums.len() - from {
                left if left >= 2 * V::WIDTH => add_sums::<V, 2>(token, d, from, sums, V::WIDTH),
                left => add_sums::<V, 1>(token, d, from, sums, left.min(V::WIDTH)),
            };
        }
    }
}

/// Adds, from column `from` on, N vectors of each row, `width` numbers in each, and returns the number of columns. With two
/// vectors an addition does not wait for the one before.
#[inline(always)]
fn add_sums<V: Vector, const N: usize>(
    token: V::Token,
    d: Rows<'_, V::Scalar>,
    from: usize,
    sums: &mut [V::Scalar],
    width: usize,
) -> usize {
    let sums = &mut sums[from..][..N * width];
    let mut totals = [V::load(token, &sums[..width]); N];
    for (vector, total) in totals.iter_mut().enumerate().skip(1) {
        *total = V::load(token, &sums[vector * width..][..width]);
    }
    for row in 0..d.count() {
        let row = &d.row(row)[from..][..N * width];
        for (vector, total) in totals.iter_mut().enumerate() {
            *total = *total + V::load(token, &row[vector * width..][..width]);
        }
    }
    for (vector, total) in totals.into_iter().enumerate() {
        total.store(&mut sums[vector * width..][..width]);
    }
    N * width
}
