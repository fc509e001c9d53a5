//! The shapes of the grid.

use zipnet::ir::{Axis, Bias, Conv2d, Dense, DepthwiseConv2d, Op, Operands, Pool2d, Shape, Window};

/// Which operator a point stands for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Kind {
    /// Convolution, grouped or not.
    Conv,
    /// Convolution channel by channel.
    Depthwise,
    /// Fully connected.
    Dense,
    /// Sum of two tensors.
    Add,
    /// Product of two tensors.
    Mul,
    /// Two tensors as one, by channels.
    Concat,
    /// Greatest of a window.
    MaxPool,
    /// Mean of a window.
    AvgPool,
    /// Mean over rows and columns.
    Mean,
    /// Softmax over channels.
    Softmax,
    /// A table of 256 entries.
    Table,
    /// Another scale.
    Requantize,
}

/// One shape of one operator. What an operator has not is 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Point {
    /// The operator.
    pub(super) kind: Kind,
    /// Rows and columns of the input.
    pub(super) image: [u16; 2],
    /// Groups.
    pub(super) groups: u16,
    /// Input channels of a group.
    pub(super) channels: u16,
    /// Output channels of a group; of a depthwise convolution, of an input channel.
    pub(super) units: u16,
    /// Rows and columns of the kernel.
    pub(super) kernel: [u16; 2],
    /// Rows and columns from one output to the next.
    pub(super) stride: [u16; 2],
    /// Rows and columns from one tap to the next.
    pub(super) dilation: u16,
    /// Whether there is a border, such that as many outputs come out as the stride allows.
    pub(super) same: bool,
    /// Whether the arena may be as large as it likes.
    pub(super) roomy: bool,
}

impl Point {
    /// Where the point lies in the grid; neighbours differ in one of these.
    pub(super) fn coordinates(&self) -> [u16; 12] {
        let ([h, w], [kh, kw], [sh, sw]) = (self.image, self.kernel, self.stride);
        let [same, roomy] = [self.same, self.roomy].map(u16::from);
        [h, w, self.groups, self.channels, self.units, kh, kw, sh, sw, self.dilation, same, roomy]
    }

    /// The most bytes of arena; `None` for as many as the exporter takes by itself.
    pub(super) fn limit(&self) -> Option<usize> {
        self.roomy.then_some(1 << 20)
    }

    /// Shape of the input.
    pub(super) fn input(&self) -> Shape {
        Shape::new(self.image[0], self.image[1], self.groups * self.channels)
    }

    /// The operator.
    pub(super) fn op(&self) -> Op {
        let [h, w] = self.image;
        let mut window = Window { kernel: self.kernel, stride: self.stride, ..Window::new(1, 1) };
        window = window.dilation(self.dilation);
        if self.same {
            window = window.same(h, w);
        }
        match self.kind {
            Kind::Conv => Op::Conv2d(Conv2d {
                units: self.groups * self.units,
                window,
                groups: self.groups,
                span: self.channels,
                bias: Bias::Channel,
            }),
            Kind::Depthwise => {
                Op::DepthwiseConv2d(DepthwiseConv2d { multiplier: self.units, window, bias: Bias::Channel })
            }
            Kind::Dense => Op::Dense(Dense { units: self.units, bias: Bias::Channel }),
            Kind::Add => Op::Add(Operands::Equal),
            Kind::Mul => Op::Mul(Operands::Equal),
            Kind::Concat => Op::Concat { axis: Axis::Channels },
            Kind::MaxPool => Op::MaxPool2d(Pool2d { window }),
            Kind::AvgPool => Op::AvgPool2d(Pool2d { window }),
            Kind::Mean => Op::Mean { axes: [true, true, false] },
            Kind::Softmax => Op::Softmax,
            Kind::Table => Op::Tanh,
            Kind::Requantize => Op::Requantize,
        }
    }

    /// A name that tells all.
    pub(super) fn name(&self) -> String {
        let ([h, w], [kh, kw], [sh, sw]) = (self.image, self.kernel, self.stride);
        let kind = format!("{:?}", self.kind).to_lowercase();
        let mut name = format!("{kind}_{h}x{w}x{}", self.groups * self.channels);
        match self.kind {
            Kind::Conv | Kind::Dense => name += &format!("_to{}", self.groups * self.units),
            Kind::Depthwise => name += &format!("_m{}", self.units),
            _ => {}
        }
        if matches!(self.kind, Kind::Conv | Kind::Depthwise | Kind::MaxPool | Kind::AvgPool) {
            name += &format!("_k{kh}x{kw}_s{sh}x{sw}_{}", if self.same { "same" } else { "valid" });
        }
        if self.dilation > 1 {
            name += &format!("_d{}", self.dilation);
        }
        if self.groups > 1 {
            name += &format!("_g{}", self.groups);
        }
        if self.roomy {
            name += "_roomy";
        }
        name
    }
}

/// A point of kernel and stride 1.
fn point(kind: Kind, image: [u16; 2], channels: u16, units: u16) -> Point {
    let [groups, dilation] = [1, 1];
    let (kernel, stride, roomy) = ([1, 1], [1, 1], false);
    Point { kind, image, groups, channels, units, kernel, stride, dilation, same: true, roomy }
}

/// `base` with other values of one or more of its coordinates.
fn line<T: Copy>(to: &mut Vec<Point>, base: Point, values: &[T], with: impl Fn(&mut Point, T)) {
    for &value in values {
        let mut point = base;
        with(&mut point, value);
        to.push(point);
    }
}

/// All points, each once.
pub(super) fn grid() -> Vec<Point> {
    let mut all = Vec::new();
    points(&mut all);
    convolutions(&mut all);
    odd_channels(&mut all);
    kernels(&mut all);
    maps(&mut all);
    dilated(&mut all);
    roomy(&mut all);
    groups(&mut all);
    depthwise(&mut all);
    dense(&mut all);
    others(&mut all);
    all.sort_unstable();
    all.dedup();
    all
}

/// 1x1.
fn points(all: &mut Vec<Point>) {
    let base = point(Kind::Conv, [8, 8], 16, 16);
    line(all, base, &[1, 2, 3, 4, 5, 7, 8, 12, 16, 24, 31, 32, 48, 64, 96, 128], |p, c| p.channels = c);
    line(all, base, &[1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 24, 31, 32, 64, 128], |p, n| p.units = n);
    let wide = Point { channels: 64, units: 64, ..base };
    let images = [[1, 1], [1, 2], [1, 3], [1, 8], [2, 2], [3, 3], [5, 5], [7, 7], [8, 8], [16, 1], [25, 5]];
    line(all, wide, &images, |p, image| p.image = image);
    line(all, wide, &[1, 2, 3, 4, 5, 8, 10, 16, 32, 64, 128], |p, n| p.units = n);
    line(all, Point { channels: 8, units: 8, ..base }, &[[2, 2], [4, 4], [8, 8], [24, 24]], |p, image| {
        p.image = image;
    });
    for base in [base, wide, Point { channels: 3, ..base }] {
        line(all, base, &[[1, 1], [1, 2], [2, 1], [2, 2], [3, 3]], |p, stride| p.stride = stride);
    }
    let strided = Point { stride: [3, 3], ..base };
    line(all, strided, &[1, 3, 8, 16, 32, 64], |p, c| p.channels = c);
    line(all, strided, &[4, 8, 16, 32, 64], |p, n| p.units = n);
    line(all, Point { stride: [3, 3], ..wide }, &[16, 32, 64], |p, n| p.units = n);
    // Sums of very many products.
    let few = Point { image: [4, 4], ..base };
    line(all, few, &[64, 256, 512, 1024, 2048], |p, c| p.channels = c);
    line(all, Point { channels: 2048, ..few }, &[2, 3, 4, 10, 16], |p, n| p.units = n);
}

/// Kernels of several taps.
fn convolutions(all: &mut Vec<Point>) {
    let base = Point { kernel: [3, 3], ..point(Kind::Conv, [12, 12], 16, 16) };
    let channels = [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 16, 20, 24, 32, 64, 128];
    line(all, base, &channels, |p, c| p.channels = c);
    let strided = Point { stride: [2, 2], ..base };
    line(all, strided, &[1, 2, 3, 4, 8, 15, 16, 32, 64, 128], |p, c| p.channels = c);
    line(all, base, &[1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 24, 32, 64], |p, n| p.units = n);
    let thin = Point { channels: 3, image: [24, 24], ..base };
    line(all, thin, &[1, 2, 4, 6, 8, 12, 16, 32], |p, n| p.units = n);
    line(all, Point { stride: [2, 2], ..thin }, &[4, 8, 16, 32], |p, n| p.units = n);
    let widths = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 16, 17, 24, 32];
    line(all, base, &widths, |p, w| p.image[1] = w);
    line(all, base, &[1, 2, 3, 5, 8, 12, 31], |p, h| p.image[0] = h);
    line(all, strided, &[3, 4, 5, 6, 8, 9, 12, 17, 24], |p, w| p.image[1] = w);
    line(all, base, &[[1, 1], [1, 2], [2, 1], [2, 2], [3, 3]], |p, stride| p.stride = stride);
    line(all, base, &[true, false], |p, same| p.same = same);
    line(all, base, &[1, 2, 3], |p, d| p.dilation = d);
    line(all, Point { channels: 4, ..base }, &[1, 2, 3], |p, d| p.dilation = d);
    // Sums of very many products.
    let few = Point { image: [6, 6], ..base };
    for (kernel, stride) in [(3, 1), (3, 2), (5, 1), (5, 2)] {
        let few = Point { kernel: [kernel, kernel], stride: [stride, stride], ..few };
        line(all, few, &[16, 32, 64, 128, 192, 256], |p, c| p.channels = c);
    }
    let kernels = [[1, 3], [3, 1], [1, 5], [5, 1], [2, 2], [3, 3], [5, 5], [7, 7], [10, 1], [1, 10]];
    line(all, base, &kernels, |p, kernel| p.kernel = kernel);
    line(all, Point { channels: 1, ..base }, &kernels, |p, kernel| p.kernel = kernel);
    for kernel in [[2, 2], [10, 1], [1, 10]] {
        line(all, Point { kernel, ..base }, &[2, 4, 8], |p, c| p.channels = c);
    }
    line(all, Point { channels: 4, stride: [2, 2], ..base }, &kernels, |p, kernel| p.kernel = kernel);
    let spectrum = Point { kernel: [10, 4], stride: [2, 2], image: [25, 10], channels: 1, units: 32, ..base };
    line(all, spectrum, &[1, 2, 3, 4, 8], |p, c| p.channels = c);
    line(all, spectrum, &[8, 16, 24, 32, 64], |p, n| p.units = n);
    line(all, spectrum, &[[1, 1], [2, 1], [1, 2], [2, 2]], |p, stride| p.stride = stride);
    let series = Point { image: [48, 1], kernel: [5, 1], ..base };
    line(all, series, &[1, 3, 8, 16, 40], |p, c| p.channels = c);
    line(all, series, &[1, 2], |p, s| p.stride = [s, 1]);
    line(all, Point { image: [1, 48], kernel: [1, 5], ..series }, &[1, 3, 8, 16, 40], |p, c| p.channels = c);
}

/// Channels and units as nets have them that are cut to size.
fn odd_channels(all: &mut Vec<Point>) {
    let base = point(Kind::Conv, [8, 8], 16, 16);
    line(all, base, &[6, 10, 20, 36], |p, c| p.channels = c);
    line(all, base, &[10, 20, 48, 96], |p, n| p.units = n);
    let base = Point { kernel: [3, 3], image: [12, 12], ..base };
    line(all, base, &[36, 48, 96], |p, c| p.channels = c);
    line(all, base, &[20, 48, 96], |p, n| p.units = n);
    for channels in 1..=6 {
        line(all, Point { channels, ..base }, &[1, 2, 3, 4, 6, 8], |p, n| p.units = n);
    }
    line(all, Point { units: 12, ..base }, &[3, 6], |p, c| p.channels = c);
    for kernel in [[1, 3], [3, 1]] {
        line(all, Point { kernel, units: 8, ..base }, &[1, 2, 4, 8], |p, c| p.channels = c);
        line(all, Point { kernel, channels: 1, ..base }, &[8, 16], |p, n| p.units = n);
    }
    line(all, Point { channels: 16, ..base }, &[1, 3, 5, 6, 9], |p, n| p.units = n);
}

/// Kernels of several forms, and strides, over few channels.
fn kernels(all: &mut Vec<Point>) {
    let base = point(Kind::Conv, [12, 12], 3, 16);
    line(all, base, &[[3, 1], [2, 2], [5, 5], [7, 7], [10, 4]], |p, kernel| p.kernel = kernel);
    let strided = Point { stride: [2, 2], ..base };
    line(all, strided, &[[3, 1], [2, 2], [3, 3], [5, 5], [7, 7]], |p, kernel| p.kernel = kernel);
    line(all, Point { channels: 8, ..strided }, &[[3, 1], [3, 3], [5, 5]], |p, kernel| p.kernel = kernel);
    for channels in [3, 4, 8] {
        let base = Point { kernel: [3, 3], channels, ..base };
        line(all, base, &[[1, 2], [2, 1], [3, 3]], |p, stride| p.stride = stride);
    }
}

/// As nets shrink their maps and widen, and along time.
fn maps(all: &mut Vec<Point>) {
    for (image, channels, units) in [(48, 3, 8), (24, 8, 16), (12, 16, 32), (6, 32, 64), (4, 64, 128)] {
        let base = point(Kind::Conv, [image, image], channels, units);
        all.push(base);
        line(all, Point { kernel: [3, 3], ..base }, &[[1, 1], [2, 2]], |p, stride| p.stride = stride);
    }
    let base = point(Kind::Conv, [8, 8], 8, 8);
    for kernel in [[1, 1], [3, 3]] {
        line(all, Point { kernel, ..base }, &[4, 6, 7, 10, 16, 32], |p, w| p.image = [w, w]);
    }
    for stride in [1, 2] {
        let series = Point { kernel: [9, 1], stride: [stride, 1], ..point(Kind::Conv, [49, 1], 24, 24) };
        line(all, series, &[3, 9], |p, k| p.kernel[0] = k);
        line(all, series, &[10, 24, 40], |p, c| p.channels = c);
    }
}

/// Taps apart.
fn dilated(all: &mut Vec<Point>) {
    let base = Point { kernel: [3, 3], ..point(Kind::Conv, [12, 12], 16, 16) };
    let series = Point { image: [48, 1], kernel: [5, 1], ..base };
    for dilation in [1, 2, 3, 4] {
        let base = Point { dilation, ..base };
        line(all, base, &[1, 2, 3, 4, 8, 16], |p, c| p.channels = c);
        for channels in [1, 3] {
            line(all, Point { channels, ..base }, &[1, 2, 4, 8, 16], |p, n| p.units = n);
        }
        line(all, Point { dilation, ..series }, &[1, 2, 3, 8, 16], |p, c| p.channels = c);
        line(all, Point { dilation, channels: 8, ..series }, &[3, 9], |p, k| p.kernel[0] = k);
    }
    for dilation in [2, 3] {
        let thin = Point { dilation, channels: 3, units: 8, ..base };
        line(all, thin, &[[1, 1], [1, 2], [2, 1], [2, 2], [3, 3]], |p, stride| p.stride = stride);
        line(all, thin, &[[1, 3], [3, 1], [3, 3], [5, 5]], |p, kernel| p.kernel = kernel);
        line(all, thin, &[8, 12, 13], |p, w| p.image = [w, w]);
        line(all, thin, &[true, false], |p, same| p.same = same);
        line(all, Point { groups: 4, channels: 4, units: 4, ..thin }, &[1, 2, 4], |p, g| p.groups = g);
    }
}

/// With an arena as large as anyone asks for, where minimal filtering in both directions pays.
fn roomy(all: &mut Vec<Point>) {
    let base = Point { kernel: [3, 3], roomy: true, ..point(Kind::Conv, [12, 12], 16, 16) };
    line(all, base, &[3, 4, 6, 8, 12, 16, 32, 64], |p, c| p.channels = c);
    line(all, base, &[2, 4, 6, 8, 16, 20, 32], |p, n| p.units = n);
    line(all, base, &[6, 7, 8, 10, 13, 16, 24], |p, w| p.image = [w, w]);
    line(all, Point { channels: 64, units: 64, ..base }, &[6, 8, 12], |p, w| p.image = [w, w]);
}

/// Groups.
fn groups(all: &mut Vec<Point>) {
    for kernel in [[1, 1], [3, 3]] {
        let base = Point { groups: 4, kernel, ..point(Kind::Conv, [8, 8], 8, 8) };
        line(all, base, &[1, 2, 3, 4, 8], |p, g| p.groups = g);
        line(all, base, &[1, 2, 3, 4, 6, 8, 16, 32], |p, c| p.channels = c);
        line(all, base, &[1, 2, 3, 4, 6, 8, 16], |p, n| p.units = n);
        line(all, base, &[1, 2, 3, 4, 8], |p, n| [p.channels, p.units] = [n, n]);
        for channels in [2, 3, 4] {
            line(all, Point { channels, ..base }, &[1, 2, 3, 4], |p, n| p.units = n);
        }
        line(all, base, &[[1, 1], [2, 2]], |p, stride| p.stride = stride);
    }
}

/// Channel by channel.
fn depthwise(all: &mut Vec<Point>) {
    let base = Point { groups: 16, kernel: [3, 3], ..point(Kind::Depthwise, [12, 12], 1, 1) };
    let channels = [1, 2, 3, 4, 5, 7, 8, 12, 16, 24, 32, 64, 100, 128];
    for stride in [[1, 1], [2, 2]] {
        let base = Point { stride, ..base };
        line(all, base, &channels, |p, c| p.groups = c);
        let wide = Point { groups: 32, ..base };
        for image in [3, 4, 5, 6, 7, 8, 9, 12, 13, 16, 24, 25, 32] {
            line(all, wide, &[()], |p, ()| p.image = [image, image]);
        }
        line(all, base, &[2, 3, 4, 5, 6, 7, 9, 12, 13], |p, w| p.image[1] = w);
        line(all, base, &[1, 2, 3, 4, 8], |p, m| p.units = m);
        line(all, Point { groups: 1, ..base }, &[1, 2, 4, 8, 16, 32], |p, m| p.units = m);
        line(all, base, &[[1, 3], [3, 1], [5, 5], [7, 7], [2, 2], [4, 4]], |p, kernel| p.kernel = kernel);
        line(all, base, &[true, false], |p, same| p.same = same);
    }
    line(all, base, &[1, 2, 3], |p, d| p.dilation = d);
    line(all, base, &[[1, 1], [1, 2], [2, 1], [2, 2], [3, 3]], |p, stride| p.stride = stride);
    // As MobileNets shrink their maps.
    for (image, channels) in [(48, 8), (24, 16), (5, 128)] {
        let narrow = Point { image: [image, image], groups: channels, ..base };
        line(all, narrow, &[[1, 1], [2, 2]], |p, stride| p.stride = stride);
    }
    let wide = Point { image: [24, 24], groups: 32, kernel: [5, 5], ..base };
    line(all, wide, &[[1, 1], [2, 2]], |p, stride| p.stride = stride);
    let table = Point { image: [25, 5], groups: 64, ..base };
    line(all, table, &[[3, 3], [3, 1]], |p, kernel| p.kernel = kernel);
    let series = Point { image: [48, 1], groups: 64, kernel: [10, 1], ..base };
    line(all, series, &[2, 3, 4, 5, 8, 10, 16, 20, 25], |p, k| p.kernel[0] = k);
    line(all, series, &[1, 2, 3], |p, s| p.stride = [s, 1]);
    line(all, series, &[1, 2, 4], |p, d| p.dilation = d);
    line(all, series, &[3, 8, 25, 64, 128], |p, c| p.groups = c);
    line(all, series, &[10, 24, 48, 49], |p, h| p.image[0] = h);
    line(all, series, &[true, false], |p, same| p.same = same);
    let lying = Point { image: [1, 48], kernel: [1, 10], ..series };
    line(all, lying, &[3, 5, 10, 16], |p, k| p.kernel[1] = k);
    let table = Point { image: [25, 5], ..series };
    line(all, table, &[3, 5, 10], |p, k| p.kernel[0] = k);
}

/// Fully connected.
fn dense(all: &mut Vec<Point>) {
    let base = point(Kind::Dense, [1, 1], 64, 16);
    let inputs = [1, 2, 3, 5, 7, 8, 16, 31, 32, 64, 100, 128, 255, 256, 640, 1024, 2048, 4000];
    line(all, base, &inputs, |p, k| p.channels = k);
    line(all, base, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 16, 17, 24, 32, 64, 128], |p, n| p.units = n);
    for channels in [128, 256, 2048] {
        line(all, Point { channels, ..base }, &[1, 2, 3, 4, 8, 10, 12, 16, 32], |p, n| p.units = n);
    }
}

/// What has no weights.
fn others(all: &mut Vec<Point>) {
    for kind in [Kind::Add, Kind::Mul, Kind::Concat, Kind::Mean, Kind::Table, Kind::Requantize] {
        let base = point(kind, [8, 8], 16, 1);
        line(all, base, &[1, 2, 3, 4, 8, 15, 16, 32, 64, 128], |p, c| p.channels = c);
    }
    for kind in [Kind::MaxPool, Kind::AvgPool] {
        let base = Point { kernel: [2, 2], stride: [2, 2], ..point(kind, [12, 12], 16, 1) };
        line(all, base, &[1, 2, 3, 4, 8, 15, 16, 32, 64, 128], |p, c| p.channels = c);
        line(all, base, &[[2, 2], [3, 3], [4, 4]], |p, kernel| p.kernel = kernel);
        line(all, base, &[[1, 1], [2, 2], [3, 3]], |p, stride| p.stride = stride);
        let whole = Point { kernel: [12, 12], stride: [1, 1], same: false, ..base };
        line(all, whole, &[1, 2, 3, 4, 8, 16, 64], |p, c| p.channels = c);
    }
    line(all, point(Kind::Softmax, [1, 1], 10, 1), &[2, 3, 10, 12, 35, 100], |p, c| p.channels = c);
}
