//! `sweep`: every trial that is not over, each in a process of its own; then the table and the page.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::train::with_progress;
use crate::cli::SweepArgs;
use crate::export::write_beside;
use crate::report::progress::ProgressBar;
use crate::report::sweep::{page, picture};
use crate::sweep::{Settings, Sweep, Trial, csv, points, run as run_trial};
use crate::{Error, Result};

pub(super) fn run(args: &SweepArgs) -> Result<()> {
    let sweep = Sweep::open(&args.out, |settings| asked(args, settings))?;
    let trials = sweep.settings.trials();
    if args.list {
        let lines: String = trials.iter().map(|trial| trial.id() + "\n").collect();
        return super::print(&lines);
    }
    if let Some(id) = &args.trial {
        return one(&sweep, &sweep.trial(id)?, super::threads(args.threads)?);
    }
    if !args.collect {
        let mut left = Vec::new();
        for trial in &trials {
            if sweep.outcome(trial)?.is_none() {
                left.push(*trial);
            }
        }
        all(&sweep, &args.out, &left, super::threads(args.jobs)?, args.threads.unwrap_or(1))?;
    }
    collect(&sweep, &args.out, trials.len())
}

/// The settings with what the command line says.
fn asked(args: &SweepArgs, settings: Settings) -> Settings {
    Settings {
        data: args.data.clone().unwrap_or(settings.data),
        epochs: args.epochs.unwrap_or(settings.epochs),
        samples: args.samples.or(settings.samples),
        groups: if args.groups.is_empty() { settings.groups } else { args.groups.clone() },
        channels: if args.channels.is_empty() { settings.channels } else { args.channels.clone() },
        seeds: args.seeds.unwrap_or(settings.seeds),
    }
}

/// Runs a trial here, unless it is over.
fn one(sweep: &Sweep, trial: &Trial, threads: usize) -> Result<()> {
    if sweep.outcome(trial)?.is_some() {
        return super::print(&format!("{}: done before\n", trial.id()));
    }
    let outcome = with_progress(&trial.id(), sweep.settings.epochs, |on_progress| {
        run_trial(&sweep.settings, trial, threads, on_progress)
    })?;
    sweep.keep(&outcome)?;
    let accuracy = 100.0 * outcome.int8_accuracy();
    super::print(&format!("{}: int8 accuracy {accuracy:.2} %\n", trial.id()))
}

/// Runs trials, `jobs` at a time.
fn all(sweep: &Sweep, out: &Path, left: &[Trial], jobs: usize, threads: usize) -> Result<()> {
    let program = std::env::current_exe().map_err(Error::new)?;
    let mut bar = ProgressBar::new("trials", left.len() as u64);
    let mut waiting = left.iter();
    let mut running: Vec<Running> = Vec::new();
    let mut failed = Vec::new();
    let mut done = 0;
    loop {
        while running.len() < jobs
            && let Some(trial) = waiting.next()
        {
            running.push(Running::start(&program, out, trial, threads)?);
        }
        if running.is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
        let mut i = 0;
        while i < running.len() {
            if running[i].child.try_wait().map_err(Error::new)?.is_none() {
                i += 1;
                continue;
            }
            let mut over = running.swap_remove(i);
            done += 1;
            // What counts is the file, whatever the process said.
            match sweep.outcome(&over.trial)? {
                Some(outcome) => {
                    let accuracy = 100.0 * outcome.int8_accuracy();
                    bar.advance(done, &format!("{}: {accuracy:.2} %", over.trial.id()));
                }
                None => failed.push(format!("{}: {}", over.trial.id(), over.complaint())),
            }
        }
    }
    bar.finish();
    match failed.first() {
        Some(first) => Err(Error::new(format!(
            "{} of {} trials failed, first {first}; run the sweep again for those that are left",
            failed.len(),
            left.len()
        ))),
        None => Ok(()),
    }
}

/// A trial in a process of its own, which is ended with this one where that ends in an orderly way.
struct Running {
    trial: Trial,
    child: Child,
}

impl Running {
    fn start(program: &Path, out: &Path, trial: &Trial, threads: usize) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(["sweep", "--trial", &trial.id(), "--threads", &threads.to_string(), "--out"]).arg(out);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let child = command.spawn().map_err(|e| Error::file(program, format!("cannot be started: {e}")))?;
        Ok(Self { trial: *trial, child })
    }

    /// The last line it wrote, or how it ended.
    fn complaint(&mut self) -> String {
        let mut text = String::new();
        if let Some(errors) = &mut self.child.stderr {
            // What cannot be read is not told; how the process ended is.
            let _ = std::io::Read::read_to_string(errors, &mut text);
        }
        let last = text.lines().last().map(|line| line.trim_start_matches("error: ").to_owned());
        let ended = || self.child.wait().map_or_else(|e| e.to_string(), |status| status.to_string());
        last.unwrap_or_else(ended)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Already over, but where an error ends the sweep; nothing is lost either way.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes the table, the picture and the page of the trials that are over.
fn collect(sweep: &Sweep, out: &Path, all: usize) -> Result<()> {
    let outcomes = sweep.outcomes()?;
    let points = points(&outcomes);
    let write = |name: &str, text: String| write_beside(&out.join(name), text.as_bytes());
    write("sweep.csv", csv(&outcomes)?)?;
    write("sweep.svg", picture(&points)?)?;
    write("sweep.html", page(&points, &sweep.settings.data, outcomes.len(), all)?)?;
    super::print(&format!(
        "{} of {all} trials; written to {}: sweep.csv, sweep.svg and sweep.html\n",
        outcomes.len(),
        out.display()
    ))
}
