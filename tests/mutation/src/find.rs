//! Finds what can be changed in a file: see the README for the list.

use std::ops::Range;

use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{
    Attribute, BinOp, Block, Expr, ExprRepeat, ImplItemConst, ImplItemFn, Item, ItemConst, ItemStatic, Lit, Macro, Pat,
    RangeLimits, ReturnType, Signature, Stmt, Token, TraitItemConst, TraitItemFn, Type, UnOp,
};

/// A place and how it is changed.
pub struct Mutant {
    pub range: Range<usize>,
    /// A byte of the line that names it.
    pub at: usize,
    pub change: Change,
    pub description: String,
    /// Why it is not drawn, if it changes no result.
    pub left_out: Option<&'static str>,
}

pub enum Change {
    /// The expression becomes this one.
    Replace(String),
    /// The statement is not run.
    Delete,
    /// The function returns this at once; the range is empty, at the beginning of its body.
    Return(&'static str),
}

/// Functions that only choose between ways to the same result, and what they choose.
const CHOICES: [(&str, &str); 6] = [
    ("width", "which vectors a rule runs on"),
    ("chunk_of", "how many steps are multiplied at once"),
    ("streamed", "whether a few samples take the path for those"),
    ("is_far", "whether memory is asked for before it is needed"),
    ("ahead", "which memory is asked for before it is needed"),
    ("prefetch", "which memory is asked for before it is needed"),
];
const EMPTY: &str = "the size of an array without content, which gets its size before it is used";

/// The mutants of a file in the order of its text.
pub fn mutants(file: &str, source: &str) -> Result<Vec<Mutant>, String> {
    let parsed = syn::parse_file(source).map_err(|error| format!("{file}: {error}"))?;
    let mut finder = Finder { source, left_out: None, mutants: Vec::new() };
    finder.visit_file(&parsed);
    let mut mutants = finder.mutants;
    mutants.sort_by_key(|mutant| (mutant.range.start, mutant.range.end));
    Ok(mutants)
}

struct Finder<'a> {
    source: &'a str,
    /// Why nothing is drawn where it is, if so.
    left_out: Option<&'static str>,
    mutants: Vec<Mutant>,
}

impl<'a> Finder<'a> {
    fn text(&self, node: &impl Spanned) -> &'a str {
        &self.source[node.span().byte_range()]
    }

    fn push(&mut self, node: &impl Spanned, change: Change, description: String) {
        let range = node.span().byte_range();
        self.mutants.push(Mutant { at: range.start, range, change, description, left_out: self.left_out });
    }

    fn replace(&mut self, node: &impl Spanned, by: String, what: &str) {
        let description = format!("{what} in `{}`", short(self.text(node)));
        self.push(node, Change::Replace(by), description);
    }

    /// Changes of an operator between two operands.
    fn binary(&mut self, node: &syn::ExprBinary) {
        let others: &[&str] = match node.op {
            BinOp::Add(_) => &["-", "*"],
            BinOp::Sub(_) => &["+", "/"],
            BinOp::Mul(_) => &["/", "+"],
            BinOp::Div(_) => &["*", "-"],
            BinOp::Rem(_) => &["/"],
            BinOp::Lt(_) => &["<=", ">="],
            BinOp::Le(_) => &["<", ">"],
            BinOp::Gt(_) => &[">=", "<="],
            BinOp::Ge(_) => &[">", "<"],
            BinOp::Eq(_) => &["!="],
            BinOp::Ne(_) => &["=="],
            BinOp::And(_) if !binds(&node.left) && !binds(&node.right) => &["||"],
            BinOp::Or(_) => &["&&"],
            BinOp::AddAssign(_) => &["-=", "="],
            BinOp::SubAssign(_) => &["+=", "="],
            BinOp::MulAssign(_) => &["/=", "="],
            BinOp::DivAssign(_) => &["*=", "="],
            _ => &[],
        };
        let (left, operator, right) = (self.text(&node.left), self.text(&node.op), self.text(&node.right));
        for other in others {
            let by = if other.ends_with('=') && assigns(&node.op) {
                format!("{left} {other} {right}")
            } else {
                format!("({left}) {other} ({right})")
            };
            self.replace(node, by, &format!("`{operator}` to `{other}`"));
        }
    }

    /// A range that ends or begins one off.
    fn range(&mut self, node: &syn::ExprRange) {
        let text = |end: &Option<Box<Expr>>| end.as_ref().map_or("", |end| self.text(end));
        let dots = if matches!(node.limits, RangeLimits::Closed(_)) { "..=" } else { ".." };
        let (start, end) = (text(&node.start), text(&node.end));
        if node.end.as_ref().is_some_and(|end| !is_literal(end)) {
            self.replace(node, format!("{start}{dots}({end}) - 1"), "end one less");
            self.replace(node, format!("{start}{dots}({end}) + 1"), "end one more");
        }
        if node.start.as_ref().is_some_and(|start| !is_literal(start)) {
            self.replace(node, format!("({start}) + 1{dots}{end}"), "start one more");
        }
    }

    fn literal(&mut self, node: &syn::ExprLit) {
        let by = match &node.lit {
            Lit::Int(number) => {
                let next = match number.base10_digits() {
                    "1" => "0".to_string(),
                    digits => digits.parse::<u64>().map_or_else(|_| "0".into(), |number| (number + 1).to_string()),
                };
                format!("{next}{}", number.suffix())
            }
            Lit::Float(number) => {
                let next = match number.base10_parse::<f64>() {
                    Ok(1.0) => 0.0,
                    Ok(number) => number + 1.0,
                    Err(_) => return,
                };
                format!("{next:?}{}", number.suffix())
            }
            Lit::Bool(value) => (!value.value).to_string(),
            _ => return,
        };
        let what = format!("to `{by}`");
        self.replace(node, by, &what);
    }

    /// A condition that is no operator, the other way round.
    fn condition(&mut self, condition: &Expr) {
        if matches!(condition, Expr::Path(_) | Expr::MethodCall(_) | Expr::Call(_) | Expr::Field(_)) {
            self.replace(condition, format!("!{}", self.text(condition)), "negated");
        }
    }

    fn delete(&mut self, node: &impl Spanned) {
        self.push(node, Change::Delete, format!("deleted `{}`", short(self.text(node))));
    }

    fn function(&mut self, attributes: &[Attribute], signature: &Signature, body: &Block) {
        if is_left_out(attributes) || signature.constness.is_some() {
            return;
        }
        let before = self.left_out;
        let name = signature.ident.to_string();
        self.left_out = CHOICES.iter().find(|(choice, _)| *choice == name).map(|(_, chosen)| *chosen);
        let nothing = matches!(signature.output, ReturnType::Default);
        let values: &[&str] = match &signature.output {
            // The only statement of a function is deleted by itself.
            ReturnType::Default if body.stmts.len() > 1 => &[""],
            ReturnType::Default => &[],
            ReturnType::Type(_, result) => values_of(result),
        };
        let inside = body.span().byte_range();
        let whole = self.source[inside.start + 1..inside.end - 1].trim();
        for value in values.iter().filter(|value| **value != whole) {
            let (start, at) = (inside.start + 1, signature.span().byte_range().start);
            let description = format!("`{}` at once", format!("return {value}").trim());
            let (range, change) = (start..start, Change::Return(value));
            self.mutants.push(Mutant { range, at, change, description, left_out: self.left_out });
        }
        if let Some(Stmt::Expr(last, None)) = body.stmts.last()
            && nothing
            && is_deletable(last)
        {
            self.delete(last);
        }
        self.visit_block(body);
        self.left_out = before;
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            Item::Mod(item) => &item.attrs,
            _ => return visit::visit_item(self, item),
        };
        if !is_left_out(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(&item.attrs, &item.sig, &item.block);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.function(&item.attrs, &item.sig, &item.block);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        if let Some(body) = &item.default {
            self.function(&item.attrs, &item.sig, body);
        }
    }

    fn visit_stmt(&mut self, statement: &'ast Stmt) {
        if let Stmt::Expr(expression, Some(_)) = statement
            && is_deletable(expression)
        {
            self.delete(statement);
        }
        visit::visit_stmt(self, statement);
    }

    fn visit_expr(&mut self, expression: &'ast Expr) {
        match expression {
            Expr::Binary(node) => self.binary(node),
            Expr::Range(node) => self.range(node),
            Expr::Lit(node) => self.literal(node),
            Expr::If(node) => self.condition(&node.cond),
            Expr::While(node) => self.condition(&node.cond),
            Expr::Unary(node) => match node.op {
                UnOp::Not(_) => self.replace(node, self.text(&node.expr).to_string(), "`!` dropped"),
                UnOp::Neg(_) => self.replace(node, self.text(&node.expr).to_string(), "`-` dropped"),
                _ => {}
            },
            _ => {}
        }
        let before = self.left_out;
        if is_empty_array(expression) {
            self.left_out = Some(EMPTY);
        }
        visit::visit_expr(self, expression);
        self.left_out = before;
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        if let Some((_, guard)) = &arm.guard {
            self.condition(guard);
        }
        visit::visit_arm(self, arm);
    }

    /// Macros whose arguments are expressions; of assertions only what is asserted.
    fn visit_macro(&mut self, call: &'ast Macro) {
        let name = call.path.segments.last().map_or(String::new(), |segment| segment.ident.to_string());
        let arguments = match &*name {
            "s" | "vec" => usize::MAX,
            "assert" => 1,
            "assert_eq" | "assert_ne" => 2,
            _ => return,
        };
        let parser = Punctuated::<Expr, Token![,]>::parse_terminated;
        if let Ok(expressions) = call.parse_body_with(parser) {
            // The visitor wants nodes that live as long as the file.
            let mut inside = Finder { source: self.source, left_out: self.left_out, mutants: Vec::new() };
            expressions.iter().take(arguments).for_each(|expression| inside.visit_expr(expression));
            self.mutants.append(&mut inside.mutants);
        }
    }

    // What is computed when the crate is compiled, patterns, types, and what is no code.
    fn visit_item_const(&mut self, _: &'ast ItemConst) {}
    fn visit_item_static(&mut self, _: &'ast ItemStatic) {}
    fn visit_impl_item_const(&mut self, _: &'ast ImplItemConst) {}
    fn visit_trait_item_const(&mut self, _: &'ast TraitItemConst) {}
    fn visit_attribute(&mut self, _: &'ast Attribute) {}
    fn visit_pat(&mut self, _: &'ast Pat) {}
    fn visit_type(&mut self, _: &'ast Type) {}
    fn visit_angle_bracketed_generic_arguments(&mut self, _: &'ast syn::AngleBracketedGenericArguments) {}
    fn visit_generics(&mut self, _: &'ast syn::Generics) {}
    fn visit_expr_const(&mut self, _: &'ast syn::ExprConst) {}
    fn visit_expr_repeat(&mut self, node: &'ast ExprRepeat) {
        self.visit_expr(&node.expr);
    }
}

/// Code for tests, or for other processors than the one that the tests run on.
fn is_left_out(attributes: &[Attribute]) -> bool {
    attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")).any(|attribute| {
        let condition = attribute.meta.require_list().map_or(String::new(), |list| list.tokens.to_string());
        condition == "test" || condition.replace(' ', "").starts_with("not(any(target_arch")
    })
}

/// `Array3::default((0, 0, 0))` and the like.
fn is_empty_array(expression: &Expr) -> bool {
    let Expr::Call(call) = expression else { return false };
    let name = call.func.span().source_text().unwrap_or_default();
    let size = call.args.span().source_text().unwrap_or_default();
    matches!(&*name, "Array2::default" | "Array3::default") && size.chars().all(|c| "(0, )".contains(c))
}

/// Whether an operand of `&&` is a `let`, which no parentheses may hold.
fn binds(operand: &Expr) -> bool {
    match operand {
        Expr::Let(_) => true,
        Expr::Binary(node) if matches!(node.op, BinOp::And(_)) => binds(&node.left) || binds(&node.right),
        _ => false,
    }
}

fn assigns(operator: &BinOp) -> bool {
    matches!(operator, BinOp::AddAssign(_) | BinOp::SubAssign(_) | BinOp::MulAssign(_) | BinOp::DivAssign(_))
}

fn is_literal(expression: &Expr) -> bool {
    matches!(expression, Expr::Lit(_))
}

/// Assignments and calls.
fn is_deletable(expression: &Expr) -> bool {
    match expression {
        Expr::Assign(_) | Expr::MethodCall(_) | Expr::Call(_) => true,
        Expr::Binary(node) => assigns(&node.op),
        _ => false,
    }
}

/// What a function of this type may return instead.
fn values_of(result: &Type) -> &'static [&'static str] {
    let Type::Path(path) = result else { return &[] };
    let Some(last) = path.path.segments.last() else { return &[] };
    match &*last.ident.to_string() {
        "bool" => &["true", "false"],
        "usize" => &["0", "1"],
        "Option" => &["None"],
        "Result" if last.arguments.span().source_text().is_some_and(|text| text == "<()>") => &["Ok(())"],
        _ => &[],
    }
}

/// Code in one line, cut where it gets long.
fn short(code: &str) -> String {
    let line: String = code.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
