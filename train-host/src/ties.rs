//! Channels that stay or go together: sets of tied channels, as a forest over all channels of all tensors.
//!
//! What makes one channel of another, a depthwise convolution or an activation, ties them. A reason for which one of a
//! set must stay holds for the whole set.

use zipnet::ir::TensorId;

use crate::graph::{Net, NetNode, Owned};

/// A tensor and one of its channels.
pub(crate) type Channel = (TensorId, usize);

/// The sets of a net's channels.
pub(crate) struct Ties {
    parent: Vec<usize>,
    /// First channel of each tensor, and the end of the last.
    first: Vec<usize>,
    blocked: Vec<Option<&'static str>>,
}

impl Ties {
    /// Each channel by itself.
    pub(crate) fn new<P: Owned>(net: &Net<P>) -> Self {
        let mut first = vec![0];
        let mut count = 0;
        for tensor in &net.tensors {
            count += usize::from(tensor.shape.c);
            first.push(count);
        }
        Self { parent: (0..count).collect(), first, blocked: vec![None; count] }
    }

    fn at(&self, (tensor, channel): Channel) -> usize {
        self.first[tensor.at()] + channel
    }

    /// Every channel, tensor by tensor.
    pub(crate) fn channels(&self) -> impl Iterator<Item = Channel> + use<> {
        let counts: Vec<usize> = self.first.windows(2).map(|ends| ends[1] - ends[0]).collect();
        let of = |(tensor, count): (usize, usize)| (0..count).map(move |c| (TensorId(tensor as u16), c));
        counts.into_iter().enumerate().flat_map(of)
    }

    /// What stands for the set of a channel.
    pub(crate) fn root(&mut self, channel: Channel) -> usize {
        let mut at = self.at(channel);
        while self.parent[at] != at {
            self.parent[at] = self.parent[self.parent[at]];
            at = self.parent[at];
        }
        at
    }

    /// Makes one set of two.
    pub(crate) fn tie(&mut self, a: Channel, b: Channel) {
        let (a, b) = (self.root(a), self.root(b));
        self.parent[a] = b;
    }

    /// Why this very channel must stay, if it must.
    pub(crate) fn blocked(&self, channel: Channel) -> Option<&'static str> {
        self.blocked[self.at(channel)]
    }

    /// Lets a channel stay.
    pub(crate) fn block_one(&mut self, channel: Channel, why: &'static str) {
        let at = self.at(channel);
        self.blocked[at] = Some(why);
    }

    /// Lets all channels of a tensor stay.
    pub(crate) fn block(&mut self, tensor: TensorId, why: &'static str) {
        let at = tensor.at();
        self.blocked[self.first[at]..self.first[at + 1]].fill(Some(why));
    }

    /// Lets all that an operator reads and writes stay.
    pub(crate) fn hold<P: Owned>(&mut self, node: &NetNode<P>, why: &'static str) {
        node.inputs.iter().for_each(|&id| self.block(id, why));
        self.block(node.output, why);
    }
}
