//! Shapes, and the arithmetic of sliding windows.

/// Extent of a tensor, laid out row by row, column by column, channel by channel (HWC).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Shape {
    /// Rows.
    pub h: u16,
    /// Columns.
    pub w: u16,
    /// Channels.
    pub c: u16,
}

impl Shape {
    /// Rows, columns, channels.
    pub const fn new(h: u16, w: u16, c: u16) -> Self {
        Self { h, w, c }
    }

    /// A vector: one row, one column.
    pub const fn flat(c: u16) -> Self {
        Self::new(1, 1, c)
    }

    /// Number of elements; bytes when they are int8.
    #[allow(clippy::len_without_is_empty)] // a checked graph has no empty tensor
    pub const fn len(self) -> usize {
        self.h as usize * self.w as usize * self.c as usize
    }

    /// Number of elements in a row.
    pub const fn row(self) -> usize {
        self.w as usize * self.c as usize
    }

    /// Same rows, columns and channels; `==` for `const fn`.
    pub const fn same(self, other: Self) -> bool {
        self.h == other.h && self.w == other.w && self.c == other.c
    }
}

/// Rows and columns added around an input before a window slides over it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Padding {
    /// Rows above.
    pub top: u16,
    /// Rows below.
    pub bottom: u16,
    /// Columns to the left.
    pub left: u16,
    /// Columns to the right.
    pub right: u16,
}

impl Padding {
    /// None at all: TensorFlow's `VALID`.
    pub const NONE: Self = Self::all(0);

    /// The same on all four sides.
    pub const fn all(n: u16) -> Self {
        Self { top: n, bottom: n, left: n, right: n }
    }
}

/// A window that slides over rows and columns; every pair is rows first, columns second.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Window {
    /// Taps; at least 1.
    pub kernel: [u16; 2],
    /// Step from one output to the next; at least 1.
    pub stride: [u16; 2],
    /// Step from one tap to the next; at least 1.
    pub dilation: [u16; 2],
    /// Border.
    pub padding: Padding,
}

impl Window {
    /// A window of `h` x `w` taps at stride 1 without border.
    pub const fn new(h: u16, w: u16) -> Self {
        Self { kernel: [h, w], stride: [1, 1], dilation: [1, 1], padding: Padding::NONE }
    }

    /// The same with another stride, in rows and columns alike.
    pub const fn stride(mut self, s: u16) -> Self {
        self.stride = [s, s];
        self
    }

    /// The same with another dilation, in rows and columns alike.
    pub const fn dilation(mut self, d: u16) -> Self {
        self.dilation = [d, d];
        self
    }

    /// The same with another border.
    pub const fn padding(mut self, padding: Padding) -> Self {
        self.padding = padding;
        self
    }

    /// Whether each output sees the one element that lies where it does.
    pub const fn is_point(&self) -> bool {
        self.taps() == 1 && self.stride[0] == 1 && self.stride[1] == 1
    }

    /// Number of taps.
    pub const fn taps(&self) -> usize {
        self.kernel[0] as usize * self.kernel[1] as usize
    }

    /// Rows and columns of the output over an input of `h` x `w`; `None` where the window does not fit, a
    /// kernel, stride or dilation is 0, or the border is as wide as the window (an output that saw only border).
    pub const fn output(&self, h: u16, w: u16) -> Option<[u16; 2]> {
        let p = &self.padding;
        let rows = Self::extent(h, self.kernel[0], self.stride[0], self.dilation[0], p.top, p.bottom);
        let columns = Self::extent(w, self.kernel[1], self.stride[1], self.dilation[1], p.left, p.right);
        match (rows, columns) {
            (Some(rows), Some(columns)) => Some([rows, columns]),
            _ => None,
        }
    }

    /// One axis: `(n + before + after - ((k - 1) * d + 1)) / s + 1`.
    const fn extent(n: u16, k: u16, s: u16, d: u16, before: u16, after: u16) -> Option<u16> {
        if n == 0 || k == 0 || s == 0 || d == 0 {
            return None;
        }
        let span = (k as u32 - 1) * d as u32 + 1;
        let padded = n as u32 + before as u32 + after as u32;
        if span > padded || before as u32 >= span || after as u32 >= span {
            return None;
        }
        let out = (padded - span) / s as u32 + 1;
        if out > u16::MAX as u32 { None } else { Some(out as u16) }
    }

    /// TensorFlow's `SAME` border over an input of `h` x `w`: as many outputs as `ceil(n / stride)`, the odd row
    /// or column at the bottom or right.
    pub const fn same(mut self, h: u16, w: u16) -> Self {
        let rows = Self::same_axis(h, self.kernel[0], self.stride[0], self.dilation[0]);
        let columns = Self::same_axis(w, self.kernel[1], self.stride[1], self.dilation[1]);
        self.padding = Padding {
            top: rows / 2,
            bottom: rows - rows / 2,
            left: columns / 2,
            right: columns - columns / 2,
        };
        self
    }

    const fn same_axis(n: u16, k: u16, s: u16, d: u16) -> u16 {
        if n == 0 || k == 0 || s == 0 || d == 0 {
            return 0; // refused by `output`
        }
        let outputs = (n as i32 - 1) / s as i32 + 1;
        let total = (outputs - 1) * s as i32 + (k as i32 - 1) * d as i32 + 1 - n as i32;
        if total < 0 { 0 } else { total as u16 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_meets_the_1989_net() {
        let w = Window::new(5, 5).stride(2).padding(Padding::all(2));
        assert_eq!(w.output(16, 16), Some([8, 8]));
        assert_eq!(w.output(8, 8), Some([4, 4]));
    }

    #[test]
    fn same_gives_ceil_of_n_over_stride_and_the_odd_column_right() {
        for (n, k, s, d) in
            [(7, 3, 2, 1), (8, 3, 2, 1), (49, 10, 2, 1), (10, 4, 2, 1), (9, 3, 1, 2), (5, 1, 3, 1)]
        {
            let w = Window::new(k, k).stride(s).dilation(d).same(n, n);
            assert_eq!(w.output(n, n), Some([n.div_ceil(s); 2]), "{n} {k} {s} {d}");
            assert!(w.padding.bottom - w.padding.top <= 1);
        }
    }

    #[test]
    fn windows_that_do_not_fit_are_refused() {
        assert_eq!(Window::new(5, 5).output(4, 9), None);
        assert_eq!(Window::new(0, 1).output(4, 4), None);
        assert_eq!(Window::new(1, 1).stride(0).output(4, 4), None);
        assert_eq!(Window::new(2, 2).padding(Padding::all(2)).output(4, 4), None);
        assert_eq!(Window::new(1, 1).output(0, 4), None);
    }
}
