"""Plain torch modules; nothing of the estimators, nothing of scikit-learn."""
