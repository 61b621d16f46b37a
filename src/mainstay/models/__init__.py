"""Language models, and what can stand in for one: a script, or code.

:class:`.language_models.LanguageModels` is the way in. Importing this package loads no provider's
library; that takes most of a second, and happens when the first one is asked.
"""
