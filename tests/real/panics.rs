// Threads, channels, locks and panics that unwind through them; prints the same each time, and ends by a panic.
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{mpsc, Arc, Barrier, Condvar, Mutex, RwLock};
use std::thread;
use std::time::Duration;

static DROPPED: AtomicUsize = AtomicUsize::new(0);

struct Guard;
impl Drop for Guard {
    fn drop(&mut self) {
        DROPPED.fetch_add(1, Ordering::Relaxed);
    }
}

#[inline(never)]
fn recurse(depth: usize) -> usize {
    let _guard = Guard;
    if depth == 0 {
        resume_unwind(Box::new("from the bottom")); // a panic that prints nothing
    }
    recurse(depth - 1) + 1
}

fn panics() {
    let threads: Vec<_> = (0..8)
        .map(|_| {
            thread::spawn(|| {
                let mut caught = 0;
                for i in 0..2000 {
                    if catch_unwind(|| recurse(i % 20)).is_err() {
                        caught += 1;
                    }
                }
                caught
            })
        })
        .collect();
    let caught: usize = threads.into_iter().map(|t| t.join().unwrap()).sum();
    println!("{caught} caught, {} dropped", DROPPED.load(Ordering::Relaxed));
    let ended = thread::spawn(|| recurse(5)).join().unwrap_err();
    println!("a thread ended {}", ended.downcast_ref::<&str>().unwrap());
}

fn poison() {
    let mutex = Arc::new(Mutex::new(1));
    let inner = mutex.clone();
    let result = thread::spawn(move || {
        let _held = inner.lock().unwrap();
        resume_unwind(Box::new(()));
    })
    .join();
    println!("{}, poisoned: {}", result.is_err(), mutex.is_poisoned());
}

fn channels() {
    let (sender, receiver) = mpsc::sync_channel::<usize>(4);
    let senders: Vec<_> = (0..4)
        .map(|_| {
            let sender = sender.clone();
            thread::spawn(move || (0..20000).for_each(|i| sender.send(i).unwrap()))
        })
        .collect();
    drop(sender);
    println!("sum {}", receiver.iter().sum::<usize>());
    senders.into_iter().for_each(|t| t.join().unwrap());
    println!("{:?}", receiver.recv_timeout(Duration::from_millis(1)));
}

fn locks() {
    let shared = Arc::new((Mutex::new(0), Condvar::new(), RwLock::new(0), Barrier::new(4)));
    let threads: Vec<_> = (0..4)
        .map(|id| {
            let shared = shared.clone();
            thread::spawn(move || {
                let (turn, changed, total, barrier) = &*shared;
                for round in 0..1000 {
                    let mut now = changed.wait_while(turn.lock().unwrap(), |now| *now != round * 4 + id).unwrap();
                    *now += 1;
                    changed.notify_all();
                    drop(now);
                    *total.write().unwrap() += *turn.lock().unwrap() * 0 + 1;
                }
                barrier.wait();
                let sum = *total.read().unwrap();
                sum
            })
        })
        .collect();
    let sums: Vec<usize> = threads.into_iter().map(|t| t.join().unwrap()).collect();
    println!("{sums:?}");
}

fn main() {
    panics();
    poison();
    channels();
    locks();
    let child = Command::new("/bin/sh").args(["-c", "echo from a child; exit 4"]).output().unwrap();
    println!("{} {:?}", String::from_utf8_lossy(&child.stdout).trim(), child.status.code());
    let last = catch_unwind(AssertUnwindSafe(|| thread::scope(|scope| {
        scope.spawn(|| recurse(1));
    })));
    println!("a scope ended: {}", last.is_err());
    std::panic::set_hook(Box::new(|_| println!("the last panic")));
    panic!();
}
