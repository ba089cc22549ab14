"""Plain torch modules, independent of the estimators and of scikit-learn."""
