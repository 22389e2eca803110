"""Whether a score is better when it is higher or lower."""

_DIRECTIONS = {
    "mse": -1,
    "mae": -1,
    "rmse": -1,
    "B-MSE": -1,
    "B-MAE": -1,
    "psnr": 1,
    "ssim": 1,
    "CSI": 1,
    "POD": 1,
    "FAR": -1,
    "HSS": 1,
    "FSS": 1,
    "RMSE": -1,
    "ACC": 1,
}


def direction(score: str) -> int:
    """1 where higher is better, -1 where lower is; 0 for a score that is neither (sharpness).

    Args:
        score: its name, such as `ssim_uint8`; what follows `_` does not count.
    """
    return _DIRECTIONS.get(score.partition("_")[0], 0)


def is_better(score: str, value: float | None, other: float | None) -> bool:
    """Whether `value` is truly better than `other`; never where one is None."""
    return None not in (value, other) and direction(score) * (value - other) > 0
