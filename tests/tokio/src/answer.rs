// SPDX-License-Identifier: MIT
//! A hand-written future with a mistake that is easily made, and without it.
//!
//! A thread answers a question. The answer is first waited for in one task,
//! for no time at all, and then left to another. A future has to wake the task
//! that polled it last. `Keep::First` goes on with the waker of the first
//! poll: the answer then wakes a task that no longer waits for it, the one that
//! does sleeps on, and the program hangs. docs/tracing.md finds out why.

use std::future::Future;
use std::pin::Pin;
use std::sync::mpsc::{channel, Sender};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::time::timeout;

/// Which waker a future keeps when it is polled again.
#[derive(Clone, Copy)]
pub enum Keep {
	First,
	Last,
}

#[derive(Default)]
struct Shared {
	answer: Option<u64>,
	waker: Option<Waker>,
}

struct Answer {
	shared: Arc<Mutex<Shared>>,
	keep: Keep,
}

impl Future for Answer {
	type Output = u64;

	fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u64> {
		let mut shared = self.shared.lock().expect("the answerer");
		if let Some(answer) = shared.answer {
			return Poll::Ready(answer);
		}
		match (self.keep, &shared.waker) {
			(Keep::First, Some(_)) => (),
			_ => shared.waker = Some(cx.waker().clone()),
		}
		Poll::Pending
	}
}

/// The answer to come, and what the thread waits for before it gives it.
fn ask(keep: Keep) -> (Answer, Sender<u64>) {
	let (question, questions) = channel();
	let shared = Arc::new(Mutex::new(Shared::default()));
	let answer = Answer {
		shared: shared.clone(),
		keep,
	};
	std::thread::Builder::new()
		.name("answerer".into())
		.spawn(move || {
			let n: u64 = questions.recv().expect("no question");
			let mut shared = shared.lock().expect("the asker");
			shared.answer = Some(2 * n);
			shared.waker.take().expect("nobody waits").wake();
		})
		.expect("no thread");
	(answer, question)
}

pub async fn run(keep: Keep) {
	let (mut answer, question) = ask(keep);
	assert!(timeout(Duration::ZERO, &mut answer).await.is_err());
	println!("no answer yet: a task is to wait for it");
	let waiting = tokio::spawn(async move {
		let asked = async { question.send(21).expect("answerer") };
		tokio::join!(biased; answer, asked).0
	});
	println!("answer: {}", waiting.await.expect("task"));
}
