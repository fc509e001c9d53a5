//! Weights of 4 bits: lengths, scratch, and the operators that have them.

use super::{Owned, expect};
use zipnet::ir::*;

/// The legal graph with the weights of its convolution, of 18 a unit, and of its dense layer, of 32, two a byte.
fn halved(g: &mut Owned) {
    g.nodes[0].packing = Packing::Nibbles;
    g.nodes[0].weights.truncate(4 * 9);
    g.nodes[0].scratch = Scratch { offset: 96, len: 18 };
    g.nodes[5].packing = Packing::NibblesDense;
    g.nodes[5].weights.truncate(3 * 16);
    g.arena = 114;
}

/// Fails unless the change to the halved graph makes that fault, at that node.
fn refused(node: usize, fault: Fault, change: impl FnOnce(&mut Owned)) {
    expect(node, fault, |g| {
        halved(g);
        assert_eq!(g.fault(), Ok(()));
        change(g);
    });
}

#[test]
fn lengths_are_of_half_the_weights() {
    refused(0, Fault::Weights, |g| g.nodes[0].weights.push(1));
    refused(0, Fault::Bias, |g| g.nodes[0].bias.truncate(63));
    refused(0, Fault::Requant, |g| g.nodes[0].requant.truncate(3));
    refused(5, Fault::Weights, |g| g.nodes[5].weights.truncate(47));
    refused(5, Fault::Bias, |g| g.nodes[5].bias.truncate(2));
}

#[test]
fn short_biases_are_two_a_word() {
    refused(0, Fault::Bias, |g| g.nodes[0].packing = Packing::NibblesShort);
    let mut graph = Owned::legal();
    halved(&mut graph);
    graph.nodes[0].packing = Packing::NibblesShort;
    graph.nodes[0].bias.truncate(32);
    assert_eq!(graph.fault(), Ok(()));
}

#[test]
fn an_odd_row_has_a_byte_more() {
    let mut graph = Owned::legal();
    halved(&mut graph);
    // Of five rows of three taps and one channel there are fifteen weights.
    let Op::Conv2d(conv) = &mut graph.nodes[0].op else { panic!("no convolution") };
    conv.window = Window::new(5, 3).padding(Padding { top: 2, bottom: 2, left: 1, right: 1 });
    conv.span = 1;
    assert_eq!(graph.fault(), Err((0, Fault::Weights)));
    graph.nodes[0].weights.truncate(4 * 8);
    assert_eq!(graph.fault(), Ok(()));
}

#[test]
fn a_window_needs_its_scratch() {
    refused(0, Fault::Scratch, |g| g.nodes[0].scratch.len = 17);
    refused(0, Fault::Scratch, |g| g.nodes[0].scratch.offset = 95);
    refused(0, Fault::Arena, |g| g.arena = 113);
    refused(0, Fault::Overlap, |g| g.nodes[0].scratch.offset = 64);
}

#[test]
fn a_packing_is_for_its_operator() {
    refused(0, Fault::Packing, |g| g.nodes[0].packing = Packing::NibblesDepthwise);
    refused(5, Fault::Packing, |g| g.nodes[5].packing = Packing::Nibbles);
    refused(2, Fault::Packing, |g| g.nodes[2].packing = Packing::NibblesDense);
}
