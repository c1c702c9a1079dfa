//! strace around a switch: faults put into its system calls, and a record of what it called.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{Switch, has, run};

/// Why system calls cannot be traced here, if they cannot.
pub fn missing() -> Option<String> {
    if !has("strace") {
        return Some("no strace here".to_owned());
    }
    let output = run("strace", &["-o", "/dev/null", "true"]);
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    (!output.status.success()).then(|| format!("strace does not trace here: {said}"))
}

/// A strace at a switch that is at work.
pub struct Tracer {
    child: Child,
    record: PathBuf,
}

impl Tracer {
    /// Traces `calls` of all threads of a switch; `inject` is one of strace's expressions. The
    /// counts of an expression begin now, and each thread has its own.
    ///
    /// # Errors
    /// What strace says when it may not.
    pub fn attach(switch: &Switch, calls: &str, inject: &str) -> Result<Tracer, String> {
        let record = switch.setup.log.with_extension("trace");
        let mut child = Command::new("strace")
            .args(["-f", "-y", "-s", "0", "-e"])
            .arg(format!("trace={calls}"))
            .arg("-e")
            .arg(format!("inject={inject}"))
            .arg("-o")
            .arg(&record)
            .args(["-p", &switch.pid().to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut line = String::new();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        // It says so once it holds every thread.
        let _ = said.read_line(&mut line);
        std::thread::spawn(move || for _ in said.lines() {});
        if !line.contains("attached") {
            let _ = child.kill();
            let _ = child.wait();
            return Err(line.trim().to_owned());
        }
        Ok(Tracer { child, record })
    }

    /// Waits until the switch has ended and gives the record.
    pub fn finish(mut self) -> Vec<Call> {
        let _ = self.child.wait();
        calls(&self.record)
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One line of a record: who called what, and what became of it.
#[derive(Clone, Debug)]
pub struct Call {
    pub thread: String,
    pub text: String,
}

impl Call {
    /// The name of the call.
    pub fn name(&self) -> &str {
        let text = self.text.strip_prefix("<... ").unwrap_or(&self.text);
        text.split(['(', ' ']).next().unwrap_or_default()
    }

    pub fn is_injected(&self) -> bool {
        self.text.contains("(INJECTED")
    }

    /// Whether it is about a file below a folder of this name.
    pub fn is_below(&self, folder: &str) -> bool {
        self.text.contains(&format!("/{folder}/")) || self.text.contains(&format!("/{folder}>"))
    }
}

/// The calls of a record, in the order in which they began or went on.
pub fn calls(record: &Path) -> Vec<Call> {
    let text = fs::read(record).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let line = |line: &str| {
        let (thread, text) = line.split_once(' ')?;
        Some(Call { thread: thread.to_owned(), text: text.trim_start().to_owned() })
    };
    text.lines().filter_map(line).collect()
}
