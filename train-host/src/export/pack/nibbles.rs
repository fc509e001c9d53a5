//! Weights of 4 bits, two a byte.

use zipnet::ir::{Nibbles, Op, Packing, Shape};

use crate::graph::IntStore;

/// A node over `x` whose weights have 4 bits as [`Packing::Nibbles`] or its kin; `None` for other nodes.
pub(super) fn pack(op: &Op, x: Shape, plain: &IntStore) -> Option<IntStore> {
    if plain.bits != 4
        || plain.packing != Packing::Plain
        || plain.weights.iter().any(|w| !(-8..8).contains(w))
    {
        return None;
    }
    let shorts: Option<Vec<i16>> = plain.bias.iter().map(|&bias| bias.try_into().ok()).collect();
    let packing = packing(op, shorts.is_some())?;
    let bias = match shorts {
        Some(shorts) if packing == Packing::NibblesShort => shorts.chunks(2).map(word).collect(),
        _ => plain.bias.clone(),
    };
    let weights = plain.weights.chunks(row(op, x, plain.weights.len())).flat_map(bytes).collect();
    Some(IntStore { weights, bias, packing, ..plain.clone() })
}

/// The same node in plain order; `None` where it is not packed so.
pub(super) fn unpack(op: &Op, x: Shape, biases: usize, packed: &IntStore) -> Option<IntStore> {
    let short = packed.packing == Packing::NibblesShort;
    if packing(op, short)? != packed.packing {
        return None;
    }
    let count = op.weights(x);
    let row = row(op, x, count);
    let of_row = |bytes: &[i8]| bytes.iter().flat_map(|&b| Nibbles::both(b)).take(row).collect::<Vec<i8>>();
    let weights = packed.weights.chunks(Nibbles::bytes(row)).flat_map(of_row).collect();
    let halves = packed.bias.iter().flat_map(|&word| [i32::from(word as i16), word >> 16]);
    let bias = if short { halves.take(biases).collect() } else { packed.bias.clone() };
    Some(IntStore { weights, bias, packing: Packing::Plain, ..packed.clone() })
}

/// The packing of an operator; that of short biases if they are and there is one.
fn packing(op: &Op, short: bool) -> Option<Packing> {
    if let Op::Conv2d(_) = op {
        Some(if short { Packing::NibblesShort } else { Packing::Nibbles })
    } else if let Op::Dense(_) = op {
        Some(Packing::NibblesDense)
    } else if let Op::DepthwiseConv2d(_) = op {
        Some(Packing::NibblesDepthwise)
    } else {
        None
    }
}

/// Weights that lie together from a byte on, of `count` in all.
fn row(op: &Op, x: Shape, count: usize) -> usize {
    if let Op::Conv2d(conv) = op {
        Nibbles::window(conv)
    } else if let Op::Dense(_) = op {
        x.len()
    } else {
        count
    }
}

fn bytes(row: &[i8]) -> Vec<i8> {
    row.chunks(2).map(|pair| Nibbles::byte(pair[0], pair.get(1).copied().unwrap_or(0))).collect()
}

fn word(pair: &[i16]) -> i32 {
    i32::from(pair[0] as u16) | i32::from(pair.get(1).copied().unwrap_or(0)) << 16
}
