//! Products element by element, for any CPU.

use super::Store;
use crate::fixed::requantise;
use crate::ir::Requant;

/// See [`Isa::multiply`](super::Isa::multiply).
pub(super) fn multiply(y: &mut [i8], x: &[i8], step: usize, zeros: [i8; 2], requant: Requant, store: Store) {
    let [y_zero, x_zero] = zeros.map(i32::from);
    for (i, y) in y.iter_mut().enumerate() {
        let Some(&x) = x.get(step * i) else { return };
        let product = (i32::from(*y) - y_zero) * (i32::from(x) - x_zero);
        *y = store.narrow(requantise(product, requant.multiplier, requant.shift));
    }
}
