"""The flags of seeds, which all networks and layers of a run share, and of the reference noise."""

from collections.abc import Sequence

from absl import flags

from depthjax.inversion.reference import REFERENCE_STD

FLAGS = flags.FLAGS
flags.disclaim_key_flags()  # so that --help of a script shows what it asks for here


def define_seeds_flag(default: Sequence[str] = ("0", "1", "2")) -> None:
    """--seeds, of the weights of each network."""
    flags.DEFINE_list("seeds", list(default), "seeds of the weights of each network")


def define_start_seed_flag() -> None:
    """Defines --start_seed, the seed of the starting images."""
    flags.DEFINE_integer(
        "start_seed", 1, "seed of the starts, the same for all networks and layers"
    )


def define_reference_seed_flag() -> None:
    """--reference_seed."""
    flags.DEFINE_integer(
        "reference_seed", 2, "seed of the reference noise, the same for all networks and layers"
    )


def define_reference_flags() -> None:
    """--reference_seed, --reference_std, --reference_draws."""
    define_reference_seed_flag()
    flags.DEFINE_float("reference_std", REFERENCE_STD, "σ_r of the reference a' = a + σ_r·ε")
    flags.DEFINE_integer("reference_draws", 8, "draws of the reference noise", lower_bound=1)


def seeds_from_flags() -> list[int]:
    """The numbers of `--seeds`.

    Raises:
        ValueError: as `seed_numbers`.
    """
    return seed_numbers(FLAGS.seeds)


def seed_numbers(texts: Sequence[str]) -> list[int]:
    """The numbers of `--seeds`.

    Raises:
        ValueError: unless they are different whole numbers, one at least.
    """
    seeds = [text.strip() for text in texts]
    if not seeds or not all(map(str.isdecimal, seeds)) or len(set(seeds)) < len(seeds):
        raise ValueError(
            f"--seeds={','.join(texts)} must be different whole numbers from 0, as in 0,1,2"
        )
    return [int(seed) for seed in seeds]
