//! The sequence digest: a polynomial in the record digests, modulo `2^127 - 1`, beside sums that forget the order.
//!
//! For `h1..hn` and a base `r`: `D = sum of h_i * r^(n-i)`. So `D(A ++ B) = D(A) * r^|B| + D(B)`, and the digest of a
//! suffix is `D(whole) - D(prefix) * r^|suffix|`: prefix digests subtract, and the digest of any range between two
//! checkpoints is free.

use super::modular::{Factor, Products, SMALL_BITS, SMALL_PRODUCTS, SmallProducts, add, mul, reduce, sub};

/// Records that [`Lanes::extend`] takes at once: the products of a group are added up before they are reduced.
pub const GROUP: usize = 32;
const _: () = assert!(GROUP <= SMALL_PRODUCTS);

/// The base of the polynomials, with the powers `r^(2^k)` and the first few `r^k` at hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    powers: [u128; 64],
    steps: [Factor; GROUP + 1],
    /// The sums `r^0 + ... + r^(k-1)` of the first `k` of them.
    ones: [Factor; GROUP + 1],
}

impl Base {
    /// `r` is taken modulo `2^127 - 1`; 0 and 1 would make the order invisible and are moved up.
    pub fn new(r: u128) -> Self {
        let mut power = reduce(r);
        if power < 2 {
            power += 2;
        }
        let mut powers = [0; 64];
        for slot in &mut powers {
            *slot = power;
            power = mul(power, power);
        }
        let mut steps = [Factor::default(); GROUP + 1];
        let mut ones = steps;
        let (mut power, mut sum) = (1, 0);
        for (step, one) in steps.iter_mut().zip(&mut ones) {
            *step = Factor::new(power);
            *one = Factor::new(sum);
            sum = add(sum, power);
            power = mul(power, powers[0]);
        }
        Self { powers, steps, ones }
    }

    /// `r`.
    #[inline]
    pub fn r(&self) -> u128 {
        self.powers[0]
    }

    /// `r^exponent`.
    pub fn pow(&self, mut exponent: u64) -> u128 {
        let mut product = 1;
        while exponent != 0 {
            product = mul(product, self.powers[exponent.trailing_zeros() as usize]);
            exponent &= exponent - 1;
        }
        product
    }

    /// `r^0 + r^1 + ... + r^(count-1)`: what one unit at every position is worth.
    pub fn geometric(&self, count: u64) -> u128 {
        offset_sums(self, count).1
    }
}

/// Everything that is known of a sequence of records without keeping it.
///
/// Each field but the sums is tied to the position. `sum_content` and `sum_joint` are modulo `2^128` and forget it;
/// the joint one is over content and timestamp together, because nothing else ties two sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lanes {
    /// Number of records.
    pub count: u64,
    /// Polynomial over the content digests (key, value, headers).
    pub content: u128,
    /// Polynomial over the timestamps, as two's complement 64-bit values.
    pub timestamps: u128,
    /// Polynomial over the offsets.
    pub offsets: u128,
    /// Sum of the content digests.
    pub sum_content: u128,
    /// Sum of the joint digests of content and timestamp.
    pub sum_joint: u128,
}

impl Lanes {
    /// Appends records to the two polynomials that need every record: content digests and timestamps, in order.
    /// Returns the smallest and the largest of the timestamps.
    ///
    /// The polynomials of the group are sums of independent products, `D * r^k + h_1 * r^(k-1) + ... + h_k`, where one
    /// record after the other would wait for the reduction of the one before.
    ///
    /// # Panics
    /// When the slices differ in length or are longer than `GROUP`.
    #[inline]
    pub fn extend(&mut self, contents: &[u128], timestamps: &[i64], base: &Base) -> (i64, i64) {
        let count = contents.len();
        assert!(count <= GROUP && count == timestamps.len(), "groups of {count} and {}", timestamps.len());
        let powers = &base.steps[..count];
        // One lane after the other: the sums of both do not fit the registers.
        let mut products = Products::default();
        products.add(self.content, &base.steps[count]);
        for (content, power) in contents.iter().zip(powers.iter().rev()) {
            products.add(*content, power);
        }
        self.content = products.reduced();
        let (mut earliest, mut latest) = (i64::MAX, i64::MIN);
        for timestamp in timestamps {
            earliest = earliest.min(*timestamp);
            latest = latest.max(*timestamp);
        }
        self.timestamps = self.with_timestamps(timestamps, (earliest, latest), base);
        self.count += count as u64;
        (earliest, latest)
    }

    /// The timestamp lane with a group of timestamps, of which the smallest and the largest are given.
    #[inline]
    fn with_timestamps(&self, timestamps: &[i64], (earliest, latest): (i64, i64), base: &Base) -> u128 {
        let count = timestamps.len();
        let powers = base.steps[..count].iter().rev();
        let mut products = Products::default();
        products.add(self.timestamps, &base.steps[count]);
        // They enter as 64-bit two's complement values, of which -1 is the largest: so only timestamps of one sign are
        // the smallest and a distance from it.
        let same_sign = (earliest < 0) == (latest < 0);
        if same_sign && latest.wrapping_sub(earliest) as u64 >> SMALL_BITS == 0 {
            products.add_small(earliest as u64, &base.ones[count]);
            let mut distances = SmallProducts::default();
            for (timestamp, power) in timestamps.iter().zip(powers) {
                distances.add(timestamp.wrapping_sub(earliest) as u64, power);
            }
            return add(products.reduced(), distances.reduced());
        }
        for (timestamp, power) in timestamps.iter().zip(powers) {
            products.add_small(*timestamp as u64, power);
        }
        products.reduced()
    }

    /// The lanes of `self` followed by `next`.
    #[must_use]
    pub fn concat(&self, next: &Self, base: &Base) -> Self {
        let power = base.pow(next.count);
        Self {
            count: self.count + next.count,
            content: add(mul(self.content, power), next.content),
            timestamps: add(mul(self.timestamps, power), next.timestamps),
            offsets: add(mul(self.offsets, power), next.offsets),
            sum_content: self.sum_content.wrapping_add(next.sum_content),
            sum_joint: self.sum_joint.wrapping_add(next.sum_joint),
        }
    }

    /// The lanes of what follows `prefix` in `self`.
    ///
    /// # Panics
    /// When `prefix` holds more records than `self`, which is then no prefix of it.
    #[must_use]
    pub fn after(&self, prefix: &Self, base: &Base) -> Self {
        assert!(prefix.count <= self.count, "a prefix of {} records of {}", prefix.count, self.count);
        let count = self.count - prefix.count;
        let power = base.pow(count);
        Self {
            count,
            content: sub(self.content, mul(prefix.content, power)),
            timestamps: sub(self.timestamps, mul(prefix.timestamps, power)),
            offsets: sub(self.offsets, mul(prefix.offsets, power)),
            sum_content: self.sum_content.wrapping_sub(prefix.sum_content),
            sum_joint: self.sum_joint.wrapping_sub(prefix.sum_joint),
        }
    }
}

/// The offset lane of the contiguous run `first, first + 1, ..., first + count - 1`, in closed form.
pub fn offset_run(base: &Base, first: i64, count: u64) -> (u128, u128) {
    let (power, ones, ascending) = offset_sums(base, count);
    (power, add(mul(u128::from(first as u64), ones), ascending))
}

/// `(r^n, sum of r^i, sum of j * r^(n-1-j))` for `i, j` in `0..n`, by doubling.
fn offset_sums(base: &Base, count: u64) -> (u128, u128, u128) {
    let (mut power, mut ones, mut ascending, mut done) = (1, 0, 0, 0_u64);
    for bit in (0..64 - count.leading_zeros()).rev() {
        // Two runs of `done`, the second of which starts `done` higher.
        ascending = add(add(mul(ascending, power), ascending), mul(u128::from(done), ones));
        ones = add(mul(ones, power), ones);
        power = mul(power, power);
        done *= 2;
        if (count >> bit) & 1 == 1 {
            ascending = add(mul(ascending, base.r()), u128::from(done));
            ones = add(mul(ones, base.r()), 1);
            power = mul(power, base.r());
            done += 1;
        }
    }
    (power, ones, ascending)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn base() -> Base {
        Base::new(0x1234_5678_9abc_def0_0fed_cba9_8765_4321)
    }

    fn slow(values: &[u128]) -> u128 {
        values.iter().fold(0, |digest, value| add(mul(digest, base().r()), reduce(*value)))
    }

    fn lanes(values: &[(u128, i64, i64)]) -> Lanes {
        Lanes {
            count: values.len() as u64,
            content: slow(&values.iter().map(|v| v.0).collect::<Vec<_>>()),
            timestamps: slow(&values.iter().map(|v| u128::from(v.1 as u64)).collect::<Vec<_>>()),
            offsets: slow(&values.iter().map(|v| u128::from(v.2 as u64)).collect::<Vec<_>>()),
            sum_content: values.iter().fold(0, |sum: u128, v| sum.wrapping_add(v.0)),
            sum_joint: values.iter().fold(0, |sum: u128, v| sum.wrapping_add(v.0 ^ v.1 as u128)),
        }
    }

    proptest! {
        #[test]
        fn lanes_concatenate_and_subtract(
            values in prop::collection::vec(any::<(u128, i64, i64)>(), 0..40),
            cut in any::<prop::sample::Index>(),
        ) {
            let cut = cut.index(values.len() + 1);
            let (front, back) = (lanes(&values[..cut]), lanes(&values[cut..]));
            let whole = lanes(&values);
            prop_assert_eq!(front.concat(&back, &base()), whole);
            prop_assert_eq!(whole.after(&front, &base()), back);
        }

        #[test]
        fn a_group_is_its_records_one_after_the_other(
            before in any::<(u128, u128)>(),
            values in prop::collection::vec(any::<(u128, i64)>(), 0..=GROUP),
            near in proptest::option::of((prop_oneof![Just(0), Just(i64::MAX), Just(i64::MIN), any::<i64>()], 0..62_u32)),
        ) {
            let contents: Vec<u128> = values.iter().map(|value| value.0).collect();
            // Timestamps of one group lie close together, before and behind zero too, or anywhere.
            let timestamps: Vec<i64> = values
                .iter()
                .map(|value| match near {
                    Some((middle, bits)) => middle.saturating_add(value.1 >> (63 - bits)),
                    None => value.1,
                })
                .collect();
            let mut found =
                Lanes { content: reduce(before.0), timestamps: reduce(before.1), ..Lanes::default() };
            let step = |digest, value| add(mul(digest, base().r()), reduce(value));
            let content = contents.iter().fold(found.content, |digest, value| step(digest, *value));
            let timestamp =
                timestamps.iter().fold(found.timestamps, |digest, value| step(digest, u128::from(*value as u64)));
            let (earliest, latest) = found.extend(&contents, &timestamps, &base());
            prop_assert_eq!(timestamps.iter().min().copied().unwrap_or(i64::MAX), earliest);
            prop_assert_eq!(timestamps.iter().max().copied().unwrap_or(i64::MIN), latest);
            prop_assert_eq!((found.content, found.timestamps), (content, timestamp));
            prop_assert_eq!(found.count, values.len() as u64);
        }

        #[test]
        fn a_run_of_offsets_has_a_closed_form(first in 0_i64..i64::MAX / 2, count in 0_u64..300) {
            let offsets: Vec<u128> = (0..count).map(|i| u128::from(first as u64 + i)).collect();
            let (power, digest) = offset_run(&base(), first, count);
            prop_assert_eq!(digest, slow(&offsets));
            prop_assert_eq!(power, base().pow(count));
        }

        #[test]
        fn powers_are_repeated_multiplication(exponent in 0_u64..500) {
            let slow = (0..exponent).fold(1, |product, _| mul(product, base().r()));
            prop_assert_eq!(base().pow(exponent), slow);
        }
    }

    #[test]
    fn a_position_matters_in_a_polynomial_and_not_in_a_sum() {
        let (ab, ba) = (lanes(&[(1, 0, 0), (2, 0, 0)]), lanes(&[(2, 0, 0), (1, 0, 0)]));
        assert_ne!(ab.content, ba.content);
        assert_eq!(ab.sum_content, ba.sum_content);
    }
}
