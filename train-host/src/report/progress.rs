//! How far a long piece of work has come, on standard error.

use std::time::Instant;

use super::Epoch;
use super::number::{compact, percent, seconds};

/// Lines a run prints where there is no terminal to draw on.
const LINES: u64 = 10;

/// A bar on a terminal; elsewhere (a file, a pipe, a CI log) about ten lines over the whole run.
///
/// Dropped before [`ProgressBar::finish`], it takes itself off the terminal, so that an error stands alone.
#[derive(Debug)]
pub struct ProgressBar {
    what: String,
    length: u64,
    /// Lines that are due by the work done so far.
    told: u64,
    start: Instant,
    bar: indicatif::ProgressBar,
}

impl ProgressBar {
    /// A bar for `length` equal pieces of work; `what` says which, e.g. `training`.
    pub fn new(what: &str, length: u64) -> Self {
        let style =
            indicatif::ProgressStyle::with_template("{prefix} [{bar:28}] {pos}/{len}  {msg}  {eta} left")
                .expect("the template is fixed, and the tests draw it")
                .progress_chars("=> ");
        let bar = indicatif::ProgressBar::new(length).with_style(style).with_prefix(what.to_owned());
        Self { what: what.to_owned(), length, told: 0, start: Instant::now(), bar }
    }

    /// Tells of an epoch: loss, accuracy (on the test samples where it was tested), time left.
    pub fn epoch(&mut self, epoch: &Epoch) {
        let accuracy = epoch.test_accuracy.unwrap_or(epoch.train_accuracy);
        let told = format!("loss {}  accuracy {}", compact(epoch.loss), percent(accuracy));
        self.advance(u64::from(epoch.epoch), &told);
    }

    /// Tells that `done` pieces are done, and what there is to say of them.
    pub fn advance(&mut self, done: u64, message: &str) {
        if self.bar.is_hidden() {
            if let Some(line) = self.line(done, message, self.start.elapsed().as_secs_f64()) {
                eprintln!("{line}");
            }
        } else {
            self.bar.set_message(message.to_owned());
            self.bar.set_position(done);
        }
    }

    /// Leaves the bar as it is and starts a new line under it.
    pub fn finish(self) {
        self.bar.abandon();
    }

    /// The line that is due after `done` pieces in `elapsed` seconds, if one is.
    fn line(&mut self, done: u64, message: &str, elapsed: f64) -> Option<String> {
        let due = done.min(self.length).saturating_mul(LINES).checked_div(self.length).unwrap_or(LINES);
        if due <= self.told {
            return None;
        }
        self.told = due;
        let left = elapsed * self.length.saturating_sub(done) as f64 / done.max(1) as f64;
        Some(format!("{} {done}/{}  {message}  {} left", self.what, self.length, seconds(left)))
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    fn lines(length: u64) -> Vec<String> {
        let mut bar = ProgressBar::new("training", length);
        (1..=length).filter_map(|done| bar.line(done, "loss 0.1", done as f64 / 2.0)).collect()
    }

    #[test]
    fn without_a_terminal_a_run_prints_ten_lines() {
        let told = lines(330);
        assert_eq!(told.len(), 10);
        assert_eq!(told[0], "training 33/330  loss 0.1  2 min 29 s left");
        assert_eq!(told[9], "training 330/330  loss 0.1  0.0 s left");
        assert_eq!(lines(3).len(), 3);
        assert_eq!(lines(1).len(), 1);
    }

    /// A terminal that keeps what is written on it.
    #[derive(Clone, Debug, Default)]
    struct Paper(Arc<Mutex<String>>);

    impl indicatif::TermLike for Paper {
        fn width(&self) -> u16 {
            120
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(text)
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.lock().expect("one thread").push_str(text);
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            self.0.lock().expect("one thread").clear();
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_bar_shows_where_it_is_and_what_is_said() {
        let paper = Paper::default();
        let mut bar = ProgressBar::new("training", 40);
        bar.bar.set_draw_target(indicatif::ProgressDrawTarget::term_like(Box::new(paper.clone())));
        bar.epoch(&Epoch { epoch: 10, loss: 0.25, test_accuracy: Some(0.95), ..Epoch::default() });
        bar.bar.tick();
        let text = paper.0.lock().expect("one thread").clone();
        for part in ["training [", "10/40", "loss 0.2500", "accuracy 95.00 %", "left"] {
            assert!(text.contains(part), "{part} in {text:?}");
        }
        assert!(text.is_ascii(), "{text:?}");
    }
}
