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
    }
}
