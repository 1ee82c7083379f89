//! Arithmetic modulo the Mersenne prime `2^127 - 1`, in which the sequence digests live.

/// `2^127 - 1`, a prime: every value of a digest lane lies below it.
pub const MODULUS: u128 = (1 << 127) - 1;

/// Any 128-bit value modulo [`MODULUS`].
#[inline]
pub const fn reduce(value: u128) -> u128 {
    // 2^127 is 1 here, so the top bit is worth one. Folding once leaves at most 2^127, once more at most the modulus.
    let folded = (value & MODULUS) + (value >> 127);
    if folded >= MODULUS { folded - MODULUS } else { folded }
}

/// `a + b`; both below [`MODULUS`].
#[inline]
pub const fn add(a: u128, b: u128) -> u128 {
    let sum = a + b;
    if sum >= MODULUS { sum - MODULUS } else { sum }
}

/// `a - b`; both below [`MODULUS`].
#[inline]
pub const fn sub(a: u128, b: u128) -> u128 {
    if a >= b { a - b } else { a + MODULUS - b }
}

/// `a * b`; both below [`MODULUS`].
#[inline]
pub const fn mul(a: u128, b: u128) -> u128 {
    const LOW: u128 = u64::MAX as u128;
    let (a_low, a_high) = (a & LOW, a >> 64);
    let (b_low, b_high) = (b & LOW, b >> 64);
    // The high halves are below 2^63, so neither the cross products nor their sum overflow.
    let cross = a_low * b_high + a_high * b_low;
    let (low, carry) = (a_low * b_low).overflowing_add(cross << 64);
    let high = a_high * b_high + (cross >> 64) + carry as u128;
    // high * 2^128 is 2 * high here.
    reduce_sum((high << 1) + (low >> 127), low & MODULUS)
}

const LIMB_BITS: u32 = 43;
const LIMB: u128 = (1 << LIMB_BITS) - 1;

/// A factor, prepared for sums of products: itself, and itself times `2^64`, in three limbs of 43 bits.
///
/// A 64-bit half of the other factor times a limb takes 107 bits, so that two million products add up in 128 bits
/// without a carry, and both halves add to the same three sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Factor {
    low: [u64; 3],
    high: [u64; 3],
}

impl Factor {
    /// `value` below [`MODULUS`].
    pub const fn new(value: u128) -> Self {
        Self { low: limbs(value), high: limbs(mul(value, 1 << 64)) }
    }
}

const fn limbs(value: u128) -> [u64; 3] {
    [(value & LIMB) as u64, ((value >> LIMB_BITS) & LIMB) as u64, (value >> (2 * LIMB_BITS)) as u64]
}

/// A sum of at most a million products that is reduced once, at its end.
#[derive(Clone, Copy, Debug, Default)]
pub struct Products([u128; 3]);

impl Products {
    /// Adds `a` times the factor; any 128-bit value.
    #[inline]
    pub fn add(&mut self, a: u128, factor: &Factor) {
        let (low, high) = (u128::from(a as u64), a >> 64);
        for (sum, (one, other)) in self.0.iter_mut().zip(factor.low.iter().zip(&factor.high)) {
            *sum += low * u128::from(*one);
            *sum += high * u128::from(*other);
        }
    }

    /// The same for an `a` of 64 bits, at half the price.
    #[inline]
    pub fn add_small(&mut self, a: u64, factor: &Factor) {
        for (sum, limb) in self.0.iter_mut().zip(&factor.low) {
            *sum += u128::from(a) * u128::from(*limb);
        }
    }

    /// The sum, below [`MODULUS`].
    #[inline]
    pub fn reduced(self) -> u128 {
        let [low, middle, high] = self.0.map(reduce);
        add(low, add(rotated(middle, LIMB_BITS), rotated(high, 2 * LIMB_BITS)))
    }
}

/// `value * 2^bits`, both below [`MODULUS`] and 127: what leaves at the top comes in at the bottom.
#[inline]
const fn rotated(value: u128, bits: u32) -> u128 {
    ((value << bits) & MODULUS) | (value >> (127 - bits))
}

#[inline]
const fn reduce_sum(a: u128, b: u128) -> u128 {
    // Both are below 2^127 + 1, so the sum fits and one fold is enough.
    reduce(a + b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Schoolbook: shift and add, one bit at a time.
    fn slow_mul(a: u128, b: u128) -> u128 {
        let mut product = 0;
        for bit in (0..127).rev() {
            product = add(product, product);
            if (b >> bit) & 1 == 1 {
                product = add(product, a);
            }
        }
        product
    }

    proptest! {
        #[test]
        fn multiplication_agrees_with_shift_and_add(a: u128, b: u128) {
            let (a, b) = (reduce(a), reduce(b));
            prop_assert_eq!(mul(a, b), slow_mul(a, b));
        }

        #[test]
        fn a_sum_of_products_is_reduced_once(
            wide in prop::collection::vec(any::<(u128, u128)>(), 0..40),
            small in prop::collection::vec(any::<(u64, u128)>(), 0..40),
        ) {
            let mut products = Products::default();
            let mut slow = 0;
            for (a, b) in wide {
                products.add(a, &Factor::new(reduce(b)));
                slow = add(slow, mul(reduce(a), reduce(b)));
            }
            for (a, b) in small {
                products.add_small(a, &Factor::new(reduce(b)));
                slow = add(slow, mul(u128::from(a), reduce(b)));
            }
            prop_assert_eq!(products.reduced(), slow);
        }

        #[test]
        fn subtraction_undoes_addition(a: u128, b: u128) {
            let (a, b) = (reduce(a), reduce(b));
            prop_assert_eq!(sub(add(a, b), b), a);
            prop_assert!(add(a, b) < MODULUS);
        }
    }

    #[test]
    fn the_edges_reduce_to_the_canonical_value() {
        assert_eq!(reduce(MODULUS), 0);
        assert_eq!(reduce(MODULUS + 1), 1);
        assert_eq!(reduce(u128::MAX), 1);
        assert_eq!(mul(MODULUS - 1, MODULUS - 1), 1);
        assert_eq!(mul(MODULUS - 1, 1), MODULUS - 1);
        let mut most = Products::default();
        for _ in 0..1_000_000 {
            most.add(u128::MAX, &Factor { low: [LIMB as u64; 3], high: [LIMB as u64; 3] });
        }
        // Factor and 2^64 times it are 3 * LIMB spread over 129 bits; the slow way says what a million are worth.
        let limbs = add(add(LIMB, rotated(LIMB, 43)), rotated(LIMB, 86));
        let one = add(mul(limbs, u64::MAX.into()), mul(limbs, u64::MAX.into()));
        assert_eq!(most.reduced(), mul(one, 1_000_000));
    }
}
