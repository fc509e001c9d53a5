//! A net whose input comes row by row: its first layer apart from the rest, so that no table holds a place for the whole
//! input.
//!
//! The rows that the first layer keeps, and its scratch, are needed only until its output is there. Then nothing else
//! lives, so they go wherever the rest of the net has its later tensors.

use zipnet::ir::{Int, TensorId};
use zipnet::{Cpu, run_streamed};

use crate::graph::{Net, show};
use crate::plan::plan;
use crate::{Error, Result};

/// A net cut behind its first layer.
#[derive(Clone, Debug)]
pub struct Streamed {
    /// The first layer alone; the offset of its input is that of the rows that are kept.
    pub head: Net<Int>,
    /// What goes on from its output.
    pub body: Net<Int>,
    /// Bytes of arena that both need.
    pub arena: usize,
}

impl Streamed {
    /// Cuts a net and places its tensors.
    ///
    /// # Errors
    /// Says why the input cannot come row by row: the first layer slides no window over it, its packing asks for the
    /// whole, or another layer reads the input too.
    pub fn new(net: &Net<Int>) -> Result<Self> {
        let refuse =
            |why: String| Error::new(format!("the input of {:?} cannot come row by row: {why}", net.name));
        let Some(first) = net.nodes.first() else { return Err(refuse("there is no layer".to_owned())) };
        let (x, y) = (net.input_shape(), net.shape(first.output));
        let name = format!("the first layer, {} ({} over {})", first.name, first.op.name(), show(x));
        if first.op.strip(x, y, 0).is_none() {
            return Err(refuse(format!("{name}, slides no window over it")));
        }
        let others: Vec<&str> = net.readers(net.input).skip(1).map(|i| net.nodes[i].name.as_str()).collect();
        if !others.is_empty() || net.output == net.input {
            return Err(refuse(format!("{} needs it whole", others.first().unwrap_or(&"the output"))));
        }

        let mut head = Net::new(&net.name, x, net.tensors[net.input.at()].meta);
        let input = head.input;
        head.push(&first.name, first.op, &[input], net.tensors[first.output.at()].meta, first.store.clone())?;
        let mut body = net.clone();
        body.nodes.remove(0);
        body.tensors.remove(net.input.at());
        let moved = |id: TensorId| TensorId(id.0 - u16::from(id > net.input));
        for node in &mut body.nodes {
            node.inputs.iter_mut().for_each(|id| *id = moved(*id));
            node.output = moved(node.output);
        }
        body.input = moved(first.output);
        body.output = moved(net.output);

        let arena = plan(&mut body)?;
        let arena = arena.max(place(&mut head, body.tensors[body.input.at()].meta.offset));
        let fault = head.with(|head| body.with(|body| head.head_fault(body, arena)));
        fault.map_err(|fault| refuse(format!("{name}: {fault}")))?;
        Ok(Self { head, body, arena })
    }

    /// The engine over inputs back to back, each brought row by row; outputs back to back.
    ///
    /// # Errors
    /// When `inputs` is no whole number of inputs.
    pub fn run_on(&self, cpu: Cpu, inputs: &[i8]) -> Result<Vec<i8>> {
        let (size, made) = (self.head.input_shape().len(), self.body.output_shape().len());
        let mut outputs = vec![0; inputs.len() / size * made];
        let mut arena = vec![0; self.arena];
        self.head.with(|head| {
            self.body.with(|body| {
                for (input, output) in inputs.chunks(size).zip(outputs.chunks_mut(made)) {
                    run_streamed(cpu, (head, body), &mut arena, input, output).map_err(Error::new)?;
                }
                Ok(())
            })
        })?;
        Ok(outputs)
    }

    /// Rows of the input that are kept at once.
    pub fn rows(&self) -> usize {
        self.head.with(|head| head.kept()) / self.head.input_shape().row()
    }
}

/// Places what a head needs around its output, which lies at `offset`, the larger part first; gives the byte after the
/// last.
fn place(head: &mut Net<Int>, offset: u32) -> usize {
    let made = offset as usize;
    let mut taken = vec![(made, made + head.output_shape().len())];
    let scratch = head.nodes[0].store.scratch.len as usize;
    let mut parts = [(head.with(|head| head.kept()), true), (scratch, false)];
    parts.sort_by_key(|&(bytes, _)| std::cmp::Reverse(bytes));
    for (bytes, rows) in parts {
        let after = taken.iter().map(|&(_, end)| end.next_multiple_of(4));
        let free = |&at: &usize| taken.iter().all(|&(from, end)| at + bytes <= from || end <= at);
        let at = std::iter::once(0).chain(after).filter(free).min().unwrap_or(0);
        taken.push((at, at + bytes));
        if rows {
            head.tensors[head.input.at()].meta.offset = at as u32;
        } else {
            head.nodes[0].store.scratch.offset = at as u32;
        }
    }
    let output = head.output;
    head.tensors[output.at()].meta.offset = offset;
    taken.iter().map(|&(_, end)| end).max().unwrap_or(0)
}
