#[path = "grid/shapes.rs"]
#[allow(dead_code)]
mod shapes;
use zipnet::ir::{Chunk, Lanes, Op, Slide, Taps, Views};
fn main() {
    for p in shapes::grid() {
        let Op::Conv2d(conv) = p.op() else { continue };
        let x = p.input();
        let y = p.op().output(&[x]).unwrap();
        let slides = Slide::both(&conv.window, x).unwrap();
        let rows = Lanes::upright(&conv, x, &slides).map_or(0, |l| l.cycles(l.channels == usize::from(x.c)));
        let views = Views::new(&conv, x).map_or(0, |v| v.cycles());
        let taps = Taps::new(&conv, x).map_or(0, |t| t.cycles(t.enough(2048 + t.least()).unwrap_or(0)));
        let scr = Taps::new(&conv, x).map_or(0, |t| t.enough(2048 + t.least()).unwrap_or(0));
        let patches = Chunk::new(&conv, x.c, 0).cycles(&conv, usize::from(y.h) * usize::from(y.w));
        println!("{},{rows},{views},{taps},{patches},{scr}", p.name());
    }
}
