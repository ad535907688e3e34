"""How many threads numpy's linear algebra takes."""

from contextlib import AbstractContextManager

from threadpoolctl import ThreadpoolController

BLAS = ThreadpoolController().select(internal_api="openblas")  # empty where numpy uses another library


def one_blas_thread() -> AbstractContextManager[object]:
    """One thread inside the context.

    More gain nothing on matrices of a few hundred rows, and keep spinning for a while on cores that score candidates.
    """
    limited: AbstractContextManager[object] = BLAS.limit(limits=1)
    return limited
