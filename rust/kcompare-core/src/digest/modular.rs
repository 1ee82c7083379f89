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

/// A factor, prepared for sums of products: itself, and itself times `2^64`, each in two halves of 64 bits.
///
/// So both halves of the other factor add to the same columns, and a product takes four multiplications.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Factor {
    low: [u64; 2],
    high: [u64; 2],
}

impl Factor {
    /// `value` below [`MODULUS`].
    pub const fn new(value: u128) -> Self {
        Self { low: halves(value), high: halves(mul(value, 1 << 64)) }
    }
}

const fn halves(value: u128) -> [u64; 2] {
    [value as u64, (value >> 64) as u64]
}

/// A sum of products that is reduced once, at its end.
///
/// It is kept as three columns, worth `2^0`, `2^64` and `2^128`, to which halves of products are added: 64-bit numbers, of
/// which no loop adds enough to leave 128 bits.
#[derive(Clone, Copy, Debug, Default)]
pub struct Products([u128; 3]);

impl Products {
    /// Adds `a` times the factor; any 128-bit value.
    #[inline]
    pub fn add(&mut self, a: u128, factor: &Factor) {
        self.add_half(a as u64, factor.low);
        self.add_half((a >> 64) as u64, factor.high);
    }

    /// The same for an `a` of 64 bits, at half the price.
    #[inline]
    pub fn add_small(&mut self, a: u64, factor: &Factor) {
        self.add_half(a, factor.low);
    }

    #[inline]
    fn add_half(&mut self, a: u64, halves: [u64; 2]) {
        for (column, half) in halves.into_iter().enumerate() {
            let product = u128::from(a) * u128::from(half);
            self.0[column] += product & u128::from(u64::MAX);
            self.0[column + 1] += product >> 64;
        }
    }

    /// The sum, below [`MODULUS`].
    #[inline]
    pub fn reduced(self) -> u128 {
        let [low, middle, high] = self.0.map(reduce);
        add(low, add(rotated(middle, 64), rotated(high, 1)))
    }
}

/// Bits of the factors that [`SmallProducts`] takes.
pub const SMALL_BITS: u32 = 58;
/// Products that [`SmallProducts`] holds: 58 bits and 64 of a half leave room for 6 more.
pub const SMALL_PRODUCTS: usize = 64;

/// A sum of at most [`SMALL_PRODUCTS`] products with factors of at most [`SMALL_BITS`] bits, of which two
/// multiplications are one product.
#[derive(Clone, Copy, Debug, Default)]
pub struct SmallProducts([u128; 2]);

impl SmallProducts {
    /// Adds `a` times the factor.
    #[inline]
    pub fn add(&mut self, a: u64, factor: &Factor) {
        debug_assert!(a >> SMALL_BITS == 0, "{a} has more than {SMALL_BITS} bits");
        for (sum, half) in self.0.iter_mut().zip(&factor.low) {
            *sum += u128::from(a) * u128::from(*half);
        }
    }

    /// The sum, below [`MODULUS`].
    #[inline]
    pub fn reduced(self) -> u128 {
        let [low, high] = self.0.map(reduce);
        add(low, rotated(high, 64))
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
        fn a_sum_of_small_products_is_reduced_once(
            small in prop::collection::vec((0_u64..1 << SMALL_BITS, any::<u128>()), 0..=SMALL_PRODUCTS),
        ) {
            let mut products = SmallProducts::default();
            let mut slow = 0;
            for (a, b) in small {
                products.add(a, &Factor::new(reduce(b)));
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
    }

    #[test]
    fn the_largest_sums_lose_nothing() {
        // Larger than any factor can be: every half is full.
        let largest = Factor { low: [u64::MAX; 2], high: [u64::MAX; 2] };
        let mut most = Products::default();
        for _ in 0..1_000_000 {
            most.add(u128::MAX, &largest);
        }
        let one = mul(reduce(u128::from(u64::MAX)), reduce(u128::MAX));
        assert_eq!(most.reduced(), mul(add(one, one), 1_000_000));
        let a = (1 << SMALL_BITS) - 1;
        let mut most = SmallProducts::default();
        for _ in 0..SMALL_PRODUCTS {
            most.add(a, &largest);
        }
        let one = mul(u128::from(a), reduce(u128::MAX));
        assert_eq!(most.reduced(), mul(one, SMALL_PRODUCTS as u128));
    }
}
