//! Tests of products of whole numbers, which are exact, against sums by their definition.

use super::*;

/// Matrix of whole numbers: some columns of a wider matrix, whose other columns must not change.
#[derive(Clone, Debug, PartialEq)]
struct Matrix<F> {
    data: Vec<F>,
    before: usize,
    width: usize,
    stride: usize,
}

impl<F: Scalar> Matrix<F> {
    /// Returns a matrix without other columns.
    fn whole(rows: usize, width: usize) -> Self {
        Matrix::among(0, rows, width, 0)
    }

    /// Returns a matrix with two columns before it and three after it.
    fn columns(rows: usize, width: usize) -> Self {
        Matrix::among(2, rows, width, 3)
    }

    fn among(before: usize, rows: usize, width: usize, after: usize) -> Self {
        let stride = before + width + after;
        let number = |index: usize| ((index + width).wrapping_mul(0x9E37_79B9) >> 8) % 9;
        Matrix {
            data: (0..rows * stride).map(|index| F::of(number(index) as f64 - 4.0)).collect(),
            before,
            width,
            stride,
        }
    }

    fn rows(&self) -> Rows<'_, F> {
        Rows::new(&self.data, self.stride).columns(self.before, self.before + self.width)
    }

    fn rows_mut(&mut self) -> RowsMut<'_, F> {
        RowsMut::new(&mut self.data, self.stride).columns(self.before, self.before + self.width)
    }

    fn at(&self, row: usize, column: usize) -> F {
        self.data[row * self.stride + self.before + column]
    }

    /// Returns a copy with each number replaced by a function of its row, column and value.
    fn map(&self, function: impl Fn(usize, usize, F) -> F) -> Self {
        let mut mapped = self.clone();
        for row in 0..self.data.len() / self.stride {
            for column in 0..self.width {
                mapped.data[row * self.stride + self.before + column] = function(row, column, self.at(row, column));
            }
        }
        mapped
    }
}

fn sum<F: Scalar>(count: usize, term: impl Fn(usize) -> F) -> F {
    (0..count).map(term).fold(F::zero(), |sum, term| sum + term)
}

/// Widths of less than a vector, one and several vectors, one panel and more.
const WIDTHS: [usize; 12] = [1, 7, 8, 13, 16, 24, 29, 32, 40, 48, 50, 101];

fn products_hold<F: Scalar>() {
    for rows in [1, 3, 4, 5, 8, 21] {
        for depth in [1, 4, 6, 8, 16, 24] {
            // The last one has a stride of whole vectors, as the blocks of z have.
            let factors =
                [Matrix::columns(rows, depth), Matrix::whole(rows, depth), Matrix::among(8, rows, depth, 24 - depth)];
            for (a, columns) in factors.iter().flat_map(|a| WIDTHS.map(|columns| (a, columns))) {
                products_with_hold::<F>(a, Matrix::columns(rows, columns));
                products_with_hold::<F>(a, Matrix::whole(rows, columns));
            }
        }
    }
    // Several blocks of rows and of k, with sums that are still exact.
    for columns in [8, 29, 50] {
        products_with_hold::<F>(&Matrix::whole(100, 700), Matrix::columns(100, columns));
    }
}

/// Checks all products that are added to C or overwrite it.
fn products_with_hold<F: Scalar>(a: &Matrix<F>, c: Matrix<F>) {
    let (rows, depth, columns) = (a.data.len() / a.stride, a.width, c.width);
    let b = Matrix::columns(depth, columns);
    let b_transposed = Matrix::<F>::columns(columns, depth).map(|column, k, _| b.at(k, column));
    let (row, table) = (Matrix::<F>::whole(1, columns), Matrix::columns(5, columns));
    let numbers: Vec<u32> = (0..rows as u32).map(|row| row * 3 % 5).collect();
    let (mut packed, mut transposed) = (Packed::default(), Packed::default());
    let factors = [packed.factor(b.rows(), rows), transposed.transposed(b_transposed.rows())];
    for start in [Start::Zero, Start::Row(&row.data), Start::Lookup(table.rows(), &numbers), Start::Sum] {
        let expected = c.map(|row_of_c, column, present| {
            let start = match start {
                Start::Zero => F::zero(),
                Start::Row(_) => row.at(0, column),
                Start::Lookup(..) => table.at(numbers[row_of_c] as usize, column),
                Start::Sum => present,
            };
            start + sum(depth, |k| a.at(row_of_c, k) * b.at(k, column))
        });
        for factor in factors {
            let mut c = c.clone();
            product(a.rows(), factor, start, c.rows_mut());
            assert_eq!(c, expected, "{rows} rows, {depth} deep, {} apart: {start:?} + A·{factor:?}", a.stride);
        }
    }
}

#[test]
fn the_bits_of_a_row_do_not_depend_on_the_rows_beside_it() {
    let rows = 21;
    let real = |row: usize, column: usize, _| ((row * 37 + column * 11) as f32 * 0.61).sin();
    for depth in [6, 8, 16, 24] {
        for columns in WIDTHS {
            let a = Matrix::<f32>::whole(rows, depth).map(real);
            let b = Matrix::<f32>::whole(columns, depth).map(real);
            let mut packed = Packed::default();
            let factor = packed.transposed(b.rows());
            for c in [Matrix::<f32>::columns(rows, columns), Matrix::whole(rows, columns)] {
                let c = c.map(real);
                let mut whole = c.clone();
                product(a.rows(), factor, Start::Sum, whole.rows_mut());
                for cut in 1..rows {
                    let mut parts = c.clone();
                    for (from, to) in [(0, cut), (cut, rows)] {
                        product(a.rows().rows(from, to), factor, Start::Sum, parts.rows_mut().rows(from, to));
                    }
                    assert_eq!(parts, whole, "{depth} deep, {columns} columns, cut at {cut}");
                }
            }
        }
    }
}

fn transposed_products_hold<F: Scalar>() {
    let mut room = Room::default();
    let mut check = |a: &Matrix<F>, d: &Matrix<F>, mut c: Matrix<F>| {
        let rows = a.data.len() / a.stride;
        let expected = c.map(|k, column, present| present + sum(rows, |row| a.at(row, k) * d.at(row, column)));
        add_transposed_product(a.rows(), d.rows(), c.rows_mut(), &mut room);
        assert_eq!(c, expected, "{rows} rows, {} by {} columns", a.width, d.width);
    };
    for rows in [1, 6] {
        for depth in [1, 4, 5, 8, 15, 64, 65, 79] {
            for columns in WIDTHS {
                let a = Matrix::columns(rows, depth);
                check(&a, &Matrix::columns(rows, columns), Matrix::columns(depth, columns));
                check(&a, &Matrix::whole(rows, columns), Matrix::whole(depth, columns));
            }
        }
    }
    // More rows than are summed at once, with sums that are still exact.
    for depth in [9, 66] {
        for columns in [16, 19] {
            check(&Matrix::whole(2050, depth), &Matrix::whole(2050, columns), Matrix::whole(depth, columns));
        }
    }
}

fn products_of_elements_hold<F: Scalar>() {
    let check = |a: Matrix<F>, b: Matrix<F>, c: Matrix<F>| {
        for start in [Start::Zero, Start::Sum] {
            let expected = c.map(|row, column, present| {
                let start = if matches!(start, Start::Sum) { present } else { F::zero() };
                start + a.at(row, column) * b.at(row, column)
            });
            let mut c = c.clone();
            multiply_elements(a.rows(), b.rows(), start, c.rows_mut());
            assert_eq!(c, expected, "{} columns: {start:?} + A∘B", a.width);
        }
    };
    for columns in WIDTHS {
        check(Matrix::columns(5, columns), Matrix::among(1, 5, columns, 0), Matrix::columns(5, columns));
        check(Matrix::whole(5, columns), Matrix::whole(5, columns), Matrix::whole(5, columns));
    }
    check(Matrix::whole(0, 8), Matrix::whole(0, 8), Matrix::whole(0, 8));
}

fn sums_of_rows_hold<F: Scalar>() {
    for columns in WIDTHS {
        let d = Matrix::<F>::columns(7, columns);
        let mut sums = Matrix::whole(1, columns);
        let expected = sums.map(|_, column, present| present + sum(7, |row| d.at(row, column)));
        add_row_sums(d.rows(), &mut sums.data);
        assert_eq!(sums, expected);

        let numbers = [3, 0, 3, 2, 4, 0, 3];
        let mut table = Matrix::whole(5, columns);
        let expected = table.map(|place, column, present| {
            let due = |row: usize| if numbers[row] as usize == place { d.at(row, column) } else { F::zero() };
            present + sum(7, due)
        });
        add_to_rows(d.rows(), &numbers, &mut table.data);
        assert_eq!(table, expected);
    }
    add_row_sums(Matrix::<F>::whole(3, 4).rows().columns(4, 4), &mut []);
}

#[test]
fn products_are_their_sums() {
    products_hold::<f32>();
    products_hold::<f64>();
}

#[test]
fn transposed_products_are_their_sums() {
    transposed_products_hold::<f32>();
    transposed_products_hold::<f64>();
}

#[test]
fn products_of_elements_are_theirs() {
    products_of_elements_hold::<f32>();
    products_of_elements_hold::<f64>();
}

#[test]
fn sums_of_rows_are_their_sums() {
    sums_of_rows_hold::<f32>();
    sums_of_rows_hold::<f64>();
}
