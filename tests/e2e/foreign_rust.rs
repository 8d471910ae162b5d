// A thread that receives from a channel whose sender is kept and never used.
use std::io::Write;
use std::sync::mpsc::{channel, Receiver};
use std::thread;
use std::time::Duration;

#[repr(C)]
struct PollFd {
    fd: i32,
    events: i16,
    revents: i16,
}

extern "C" {
    fn poll(fds: *mut PollFd, count: u64, timeout_ms: i32) -> i32;
}

#[inline(never)]
fn wait_for_message(receiver: Receiver<String>) {
    if let Ok(message) = receiver.recv() {
        println!("received {message}"); // recv was not the last thing to do
    }
}

#[inline(never)]
fn start_receiver(receiver: Receiver<String>) {
    let handle = thread::Builder::new()
        .name("receiver".into())
        .spawn(move || wait_for_message(receiver))
        .unwrap();
    drop(handle); // detached
}

fn main() {
    let (sender, receiver) = channel();
    start_receiver(receiver);
    println!("ready");
    std::io::stdout().flush().unwrap();
    let mut stdin = PollFd { fd: 0, events: 1, revents: 0 };
    while unsafe { poll(&mut stdin, 1, 50) } == 0 {
        thread::sleep(Duration::from_millis(1));
    }
    drop(sender);
}
