//! Delta debugging (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002): from a list that
//! fails to a smallest part of it that still fails.

/// A part of `items` that `fails`, such that none of its items can be left out. `items` as a whole must fail. Stops at the
/// first error, with the smallest part so far.
pub(super) fn minimal<T: Clone, E>(
    items: &[T],
    mut fails: impl FnMut(&[T]) -> Result<bool, E>,
) -> (Vec<T>, Result<(), E>) {
    let mut left = items.to_vec();
    let mut parts = 2;
    while left.len() > 1 {
        let step = match step(&left, parts, &mut fails) {
            Ok(step) => step,
            Err(error) => return (left, Err(error)),
        };
        (left, parts) = match step {
            Some(Smaller::Part(part)) => (part, 2),
            Some(Smaller::Complement(rest)) => (rest, (parts - 1).max(2)),
            None if parts >= left.len() => break,
            None => {
                let finer = (parts * 2).min(left.len());
                (left, finer)
            }
        };
    }
    (left, Ok(()))
}

/// A smaller list that still fails.
enum Smaller<T> {
    /// One of the parts.
    Part(Vec<T>),
    /// All parts but one.
    Complement(Vec<T>),
}

/// Tries each of this number of parts alone, and then all but each of them.
fn step<T: Clone, E>(
    items: &[T],
    parts: usize,
    fails: &mut impl FnMut(&[T]) -> Result<bool, E>,
) -> Result<Option<Smaller<T>>, E> {
    let size = items.len().div_ceil(parts);
    for part in items.chunks(size) {
        if fails(part)? {
            return Ok(Some(Smaller::Part(part.to_vec())));
        }
    }
    // Of two parts, each is the complement of the other.
    for start in (0..items.len()).step_by(size).filter(|_| parts > 2) {
        let rest = [&items[..start], &items[(start + size).min(items.len())..]].concat();
        if fails(&rest)? {
            return Ok(Some(Smaller::Complement(rest)));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    /// What is left of `count` items if a list fails that has all of `needed`, and the number of tries.
    fn left(count: usize, needed: &[usize]) -> (Vec<usize>, usize) {
        let items: Vec<usize> = (0..count).collect();
        let mut tries = 0;
        let (left, ended) = minimal(&items, |list| {
            tries += 1;
            Ok::<_, Infallible>(needed.iter().all(|item| list.contains(item)))
        });
        assert!(ended.is_ok());
        (left, tries)
    }

    proptest! {
        #[test]
        fn exactly_the_needed_items_are_left(
            count in 1..60_usize,
            needed in prop::collection::btree_set(0..60_usize, 1..6),
        ) {
            let needed: Vec<usize> = needed.into_iter().filter(|item| *item < count).collect();
            prop_assume!(!needed.is_empty());
            prop_assert_eq!(left(count, &needed).0, needed);
        }
    }

    /// Halving finds one of n items in at most 2 * log2(n) tries.
    #[test]
    fn one_item_is_found_by_halving() {
        for needed in 0..64 {
            let (found, tries) = left(64, &[needed]);
            assert_eq!(found, [needed]);
            assert!(tries <= 12, "{tries}");
        }
    }

    #[test]
    fn an_error_keeps_what_was_found_so_far() {
        let items: Vec<usize> = (0..8).collect();
        let mut tries = 0;
        let (left, ended) = minimal(&items, |list| {
            tries += 1;
            if tries > 2 { Err("interrupted") } else { Ok(list.contains(&5)) }
        });
        assert_eq!((left, ended), (vec![4, 5, 6, 7], Err("interrupted")));
    }
}
