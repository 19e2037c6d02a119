//! Opening what others wrapped takes a curve operation each: many of them are shared out among the processors.

use std::{num::NonZero, thread};

/// Fewer than this are not worth a thread.
const WORTH: usize = 32;

/// The same as `items.iter().map(work).collect()`; the first error by order wins.
pub(super) fn map<T: Sync, U: Send, E: Send>(
    items: &[T],
    work: impl Fn(&T) -> Result<U, E> + Sync,
) -> Result<Vec<U>, E> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let share = items.len().div_ceil(threads).max(WORTH);
    if items.len() <= share {
        return items.iter().map(work).collect();
    }
    let work = &work;
    let parts: Vec<Result<Vec<U>, E>> = thread::scope(|scope| {
        let spawn = |part| scope.spawn(move || <[T]>::iter(part).map(work).collect());
        let threads: Vec<_> = items.chunks(share).map(spawn).collect();
        let joined = threads.into_iter().map(|thread| {
            let done: thread::Result<Result<Vec<U>, E>> = thread.join();
            done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        joined.collect()
    });
    let parts: Result<Vec<Vec<U>>, E> = parts.into_iter().collect();
    parts.map(|parts| parts.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_stays_and_the_first_error_wins() {
        let items: Vec<u32> = (0..1000).collect();
        let same: Result<Vec<u32>, ()> = map(&items, |item| Ok(*item));
        assert_eq!(same, Ok(items.clone()));
        let failed = map(&items, |item| if *item < 300 { Ok(()) } else { Err(*item) });
        assert_eq!(failed, Err(300));
        let none: Result<Vec<u32>, ()> = map(&[], |item: &u32| Ok(*item));
        assert_eq!(none, Ok(Vec::new()));
    }
}
